import type { Predicate } from '../interp/predicates.js'

/** How much of a text is of a concept, in characters (code points) other than blanks. */
export interface ConceptCount {
  characters: number
  /** those inside the predicate's spans */
  inside: number
}

/** Counts the characters of a text that a predicate holds on. Bytes that are no valid UTF-8 count as characters of no concept. */
export function countConcept(predicate: Predicate, text: string): ConceptCount {
  const marks = new Uint8Array(text.length)
  for (const { first, end } of predicate.spans(text)) marks.fill(1, first, end)
  let characters = 0
  let inside = 0
  let at = 0
  for (const character of text) {
    if (!/\s/u.test(character)) {
      characters++
      if (character !== '\ufffd') inside += marks[at]
    }
    at += character.length
  }
  return { characters, inside }
}

/** Share of the characters of several texts together; null when there are none. */
export function conceptShare(counts: readonly ConceptCount[]): number | null {
  const characters = counts.reduce((sum, count) => sum + count.characters, 0)
  return characters > 0 ? counts.reduce((sum, { inside }) => sum + inside, 0) / characters : null
}
