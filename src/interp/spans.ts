import type { TokenizedText } from './document-text.js'

/** A stretch of a text, in UTF-16 units: first (included) to end (excluded). */
export interface Span {
  first: number
  end: number
}

/** All matches of a regular expression with the global flag; empty matches are skipped. */
export function matchSpans(text: string, expression: RegExp): Span[] {
  const spans: Span[] = []
  for (const match of text.matchAll(expression))
    if (match[0].length > 0) spans.push({ first: match.index, end: match.index + match[0].length })
  return spans
}

const isSpace = (byte: string): boolean => byte === ' ' || byte === '\n' || byte === '\r' || byte === '\t'

/**
 * Which tokens lie in spans of the text: those with more than half of their bytes inside. Blanks and line
 * ends do not count, unless the token has nothing else; so " ACGT" is inside a run that starts at its A. A
 * token that holds part of a character's bytes counts as that character. Returns [tokens] of 0 and 1.
 */
export function tokensInSpans(document: TokenizedText, spans: readonly Span[]): Uint8Array {
  const { text, byteOf, tokenStart } = document
  const bytes = byteOf[byteOf.length - 1]
  const inside = new Uint8Array(bytes)
  for (const { first, end } of spans) inside.fill(1, byteOf[first], byteOf[end])
  const blank = new Uint8Array(bytes)
  for (let i = 0; i < text.length; i++) if (isSpace(text[i])) blank[byteOf[i]] = 1
  const marks = new Uint8Array(tokenStart.length - 1)
  for (let token = 0; token < marks.length; token++)
    marks[token] = mostlyInside(inside, blank, tokenStart[token], tokenStart[token + 1]) ? 1 : 0
  return marks
}

function mostlyInside(inside: Uint8Array, blank: Uint8Array, first: number, end: number): boolean {
  let solid = 0
  let solidInside = 0
  let blankInside = 0
  for (let i = first; i < end; i++)
    if (blank[i]) blankInside += inside[i]
    else {
      solid++
      solidInside += inside[i]
    }
  return solid > 0 ? 2 * solidInside > solid : 2 * blankInside > end - first
}
