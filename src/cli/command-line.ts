/** A word as a POSIX shell reads it back: quoted only where that is needed. */
export const quoteWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/**
 * The command that the user typed, to be typed again: `monosem sae train --run runs/a`, or `npm run demo -- --quick`
 * when npm started us.
 * @param args the arguments after the program's name
 * @param environment where npm says which of its scripts is running
 */
export function commandLine(args: readonly string[], environment: NodeJS.ProcessEnv = process.env): string {
  const script = environment.npm_lifecycle_event
  if (script !== undefined && args[0] === script) {
    const rest = args.slice(1).map(quoteWord).join(' ')
    return rest === '' ? `npm run ${script}` : `npm run ${script} -- ${rest}`
  }
  return ['monosem', ...args.map(quoteWord)].join(' ')
}
