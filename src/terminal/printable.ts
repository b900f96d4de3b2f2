/**
 * Text that a model wrote, safe to print: control characters other than tab and line feed become U+FFFD, so that no escape
 * sequence reaches the terminal.
 */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd')
