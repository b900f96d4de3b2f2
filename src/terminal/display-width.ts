/**
 * Columns of a terminal that a text takes: combining marks and formatting characters none, East Asian wide
 * characters two.
 */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

function characterWidth(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x300) return 1
  if (/[\p{Mn}\p{Me}\p{Cf}]/u.test(character)) return 0
  return wideRanges.some(([first, last]) => code >= first && code <= last) ? 2 : 1
}

/** Blocks of East Asian Wide and Fullwidth characters (Unicode annex 11) and of emoji. */
const wideRanges: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
]

/** Cuts a text to at most `width` columns, from its start or from its end. */
export function cutToWidth(text: string, width: number, from: 'start' | 'end' = 'start'): string {
  const characters = Array.from(text)
  if (from === 'end') characters.reverse()
  let used = 0
  const kept: string[] = []
  for (const character of characters) {
    used += characterWidth(character)
    if (used > width) break
    kept.push(character)
  }
  if (from === 'end') kept.reverse()
  return kept.join('')
}

/** Fills a text up with blanks to `width` columns, or cuts it there with an ellipsis. */
export function fitToWidth(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fitting = displayWidth(text) <= width ? text : `${cutToWidth(text, width - 1)}…`
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(fitting)))
  return align === 'left' ? fitting + blanks : blanks + fitting
}
