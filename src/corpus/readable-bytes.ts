/** Bytes for people: valid characters as they are, control characters and stray bytes by their number. */
export function readableBytes(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    if (length === 0) text += `⟨${hex(bytes[at++] as number)}⟩`
    else {
      text += readableCharacter(Buffer.from(bytes.subarray(at, at + length)).toString('utf8'))
      at += length
    }
  }
  return text
}

function readableCharacter(character: string): string {
  if (character === '\n') return '↵'
  if (character === '\t') return '⇥'
  const code = character.codePointAt(0) as number
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? `⟨${hex(code)}⟩` : character
}

const hex = (value: number): string => value.toString(16).padStart(2, '0')

/** Length of the valid UTF-8 character that starts at `at`, or 0. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number
  const length = first < 0x80 ? 1 : first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + length))
    return length
  } catch {
    return 0
  }
}
