import type { Embedder } from './embedder.js'

/** Length of the vectors; n-grams are hashed into it. */
const dimensions = 4096

/**
 * A bag of words and of the character trigrams of words, weighted by tf-idf over the texts embedded together: the embedding that needs no
 * model and no network. It sees spelling, not meaning.
 */
export function createNgramEmbedder(): Embedder {
  return {
    name: 'n-grams',
    async embed(texts) {
      const counts = texts.map(countNgrams)
      const documents = new Map<number, number>()
      for (const count of counts)
        for (const slot of count.keys()) documents.set(slot, (documents.get(slot) ?? 0) + 1)
      return counts.map((count) => {
        const vector = new Float64Array(dimensions)
        for (const [slot, n] of count)
          vector[slot] = (1 + Math.log(n)) * Math.log((1 + texts.length) / (documents.get(slot) ?? 1))
        return vector
      })
    },
  }
}

/** How often each slot comes up in a text. */
function countNgrams(text: string): Map<number, number> {
  const counts = new Map<number, number>()
  const add = (ngram: string): void => {
    const slot = hash(ngram) % dimensions
    counts.set(slot, (counts.get(slot) ?? 0) + 1)
  }
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    add(word)
    const letters = [...`<${word}>`]
    for (let i = 0; i + 3 <= letters.length; i++) add(letters.slice(i, i + 3).join(''))
  }
  return counts
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
