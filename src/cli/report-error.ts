import { CommanderError } from 'commander'
import { MonosemError } from '../errors/monosem-error.js'

export interface ReportOptions {
  json: boolean
  debug: boolean
  /** the command to type again, named when the user stopped a job that can go on */
  commandLine: string
  /** which one of several ranks this is */
  rank?: number
}

/** 2: the options make no sense; 1: everything else that goes wrong. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  return error instanceof MonosemError && error.code === 'config' ? 2 : 1
}

/** What is written to standard error: message and hint; the stack only when asked for, or when the mistake is ours. */
export function describeError(error: unknown, options: ReportOptions): string {
  const known = error instanceof MonosemError
  const message = error instanceof Error ? error.message : String(error)
  const hint = hintOf(error, options)
  if (options.json) {
    const code = known ? error.code : error instanceof CommanderError ? 'config' : 'internal'
    const rank = options.rank !== undefined && { rank: options.rank }
    return `${JSON.stringify({ error: { ...rank, code, message, ...(hint && { hint }) } })}\n`
  }
  const interrupted = known && error.code === 'interrupted'
  const where = options.rank === undefined ? '' : `rank ${options.rank}: `
  const lines = [`${where}${interrupted ? message : `error: ${message.replace(/^error: /, '')}`}`]
  if (hint) lines.push(interrupted ? `  ${hint}` : `  hint: ${hint}`)
  if (options.debug && error instanceof Error) lines.push(stackOf(error))
  return `${lines.join('\n')}\n`
}

function hintOf(error: unknown, options: ReportOptions): string | undefined {
  if (error instanceof CommanderError) return undefined
  if (!(error instanceof MonosemError))
    return 'this is a bug in Monosem; run again with --debug and report what it prints'
  return error.code === 'interrupted'
    ? `to go on from the last finished stage or checkpoint: ${options.commandLine}`
    : error.hint
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ''
  return `${error.stack ?? error.message}${cause}`
}
