import type { AddedToken } from './tokenizer-document.js'

/** A stretch of text without added tokens, or one added token. */
export type Section = { text: string; start: number } | { id: number; special: boolean }

/** Cuts a text at the added tokens in it. With `keepSpecial` the names of special tokens stay text. */
export type AddedTokenFinder = (text: string, keepSpecial: boolean) => Section[]

const WORD_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u
const WORD_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u
const SPACE = /\p{White_Space}/u

/**
 * Makes the search for added tokens, as AddedVocabulary of Hugging Face's `tokenizers` does it: the leftmost, of those the longest.
 * @param contents what to look for, by token; differs from `content` where the normalizer changes it
 */
export function createAddedTokenFinder(contents: ReadonlyMap<string, AddedToken>): AddedTokenFinder {
  if (contents.size === 0) return (text) => (text === '' ? [] : [{ text, start: 0 }])
  const lengths = lengthsByFirstCharacter(contents.keys())
  const longestAt = (text: string, at: number): string | null => {
    for (const length of lengths.get(text[at] as string) ?? []) {
      const candidate = text.slice(at, at + length)
      if (contents.has(candidate)) return candidate
    }
    return null
  }
  return (text, keepSpecial) => {
    const sections: Section[] = []
    let done = 0
    for (let at = 0; at < text.length; ) {
      const found = longestAt(text, at)
      if (found === null) {
        at++
        continue
      }
      const token = contents.get(found) as AddedToken
      const end = at + found.length
      if (!(keepSpecial && token.special) && standsAlone(token, text, at, end)) {
        const start = token.lstrip ? Math.max(done, leftOfSpaces(text, at)) : at
        if (start > done) sections.push({ text: text.slice(done, start), start: done })
        sections.push({ id: token.id, special: token.special })
        done = token.rstrip ? rightOfSpaces(text, end) : end
      }
      // Not from `done` on: the library finds tokens in the spaces that it has just stripped, and gives them again.
      at = end
    }
    if (done < text.length) sections.push({ text: text.slice(done), start: done })
    return sections
  }
}

/** For each first character, the lengths of the contents that begin with it, longest first. */
function lengthsByFirstCharacter(contents: Iterable<string>): Map<string, number[]> {
  const lengths = new Map<string, Set<number>>()
  for (const content of contents) {
    const first = content[0] as string
    lengths.set(first, (lengths.get(first) ?? new Set()).add(content.length))
  }
  return new Map([...lengths].map(([first, all]) => [first, [...all].sort((a, b) => b - a)]))
}

function standsAlone(token: AddedToken, text: string, start: number, end: number): boolean {
  if (!token.single_word) return true
  // Two UTF-16 units hold any one character.
  return (
    !WORD_END.test(text.slice(Math.max(0, start - 2), start)) && !WORD_START.test(text.slice(end, end + 2))
  )
}

function leftOfSpaces(text: string, at: number): number {
  while (at > 0 && SPACE.test(text[at - 1] as string)) at--
  return at
}

function rightOfSpaces(text: string, at: number): number {
  while (at < text.length && SPACE.test(text[at] as string)) at++
  return at
}
