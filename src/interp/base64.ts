import type { Span } from './spans.js'

/** Shortest run that counts, in characters. */
const base64MinLength = 24

/**
 * Runs of base64 (the standard alphabet) in a text. A run is a maximal stretch of [A-Za-z0-9+/] of at least
 * 24 characters with up to two "=" behind it; a wrapped block is one run: equally long lines of at least 24
 * such characters, the last shorter and a multiple of 4. It is base64 when it looks like random base64 and
 * unlike everything else that is written in these characters, repetitions of a character aside:
 * - it has an upper-case letter, a lower-case letter and a digit (hexadecimal, DNA and words lack one of
 *   them);
 * - 25% to 75% of its letters are upper case (in camelCase and in the paths of URLs few are);
 * - at least 40% of neighbouring characters differ in kind: upper, lower, digit, other (64% in random base64;
 *   words and CONSTANTS stay within one kind).
 */
export function base64Spans(text: string): Span[] {
  const spans: Span[] = []
  const run = new RegExp(`[A-Za-z0-9+/]{${base64MinLength},}={0,2}`, 'g')
  for (let match = run.exec(text); match; match = run.exec(text)) {
    const first = match.index
    const end = endOfBlock(text, first, first + match[0].length)
    if (isBase64(text.slice(first, end).replace(/[\r\n=]/g, ''))) {
      spans.push({ first, end })
      run.lastIndex = end
    }
  }
  return spans
}

/** Follows a wrapped block of base64 from its first line to its end. */
function endOfBlock(text: string, first: number, firstEnd: number): number {
  const width = firstEnd - first
  const next = /\r?\n([A-Za-z0-9+/]+={0,2})(?=\r?\n|$)/y
  let end = firstEnd
  for (next.lastIndex = end; text[end - 1] !== '='; next.lastIndex = end) {
    const line = next.exec(text)
    if (!line || line[1].length > width) break
    // A shorter line ends the block; one that is no whole number of base64 groups is something else.
    if (line[1].length < width && line[1].length % 4 !== 0) break
    end += line[0].length
    if (line[1].length < width) break
  }
  return end
}

/** The rule for one run, without line breaks and padding. */
export function isBase64(run: string): boolean {
  // Zero bytes become long runs of A, which say nothing.
  const kinds = Array.from(run.replace(/(.)\1+/g, '$1'), kindOf)
  const upper = kinds.filter((kind) => kind === 'upper').length
  const lower = kinds.filter((kind) => kind === 'lower').length
  if (upper === 0 || lower === 0 || !kinds.includes('digit')) return false
  const share = upper / (upper + lower)
  if (share < 0.25 || share > 0.75) return false
  let changes = 0
  for (let i = 1; i < kinds.length; i++) if (kinds[i] !== kinds[i - 1]) changes++
  return changes >= 0.4 * (kinds.length - 1)
}

type Kind = 'upper' | 'lower' | 'digit' | 'other'

function kindOf(character: string): Kind {
  if (character >= 'A' && character <= 'Z') return 'upper'
  if (character >= 'a' && character <= 'z') return 'lower'
  return character >= '0' && character <= '9' ? 'digit' : 'other'
}
