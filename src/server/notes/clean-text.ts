/** A text of one line: control characters and line ends become blanks. Null when nothing is left. */
export function cleanLine(text: string | null): string | null {
  const clean = text?.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').replace(/\p{Cs}/gu, '\ufffd')
  return clean?.trim() || null
}

/** A text of several lines: line ends become `\n`, and control characters but for tabs are left out. Null when nothing is left. */
export function cleanLines(text: string | null): string | null {
  const clean = text?.replace(/\r\n?|[\u2028\u2029]/gu, '\n').replace(/(?![\n\t])\p{Cc}/gu, '')
  return clean?.replace(/\p{Cs}/gu, '\ufffd').trim() || null
}
