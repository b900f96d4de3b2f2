import MiniSearch, { type Query, type SearchOptions } from 'minisearch'

/** What can be found of a feature. */
export interface SearchDocument {
  feature: number
  /** its label and explanations */
  text: string
  /** tokens that it fires on, as they are shown */
  tokens: readonly string[]
}

export type SearchIn = 'all' | 'explanation' | 'token'

export interface FeatureSearch {
  /** Features that match all words of the query, best first. A feature whose number is the query comes before all others. */
  search(query: string, where: SearchIn): number[]
  /** Puts a document in place of the one of the same feature. */
  update(document: SearchDocument): void
}

/** Features indexed before other work gets its turn: a few milliseconds. */
const chunkSize = 250

/**
 * An index of words and of tokens. Words are found by their beginning and with small mistakes; a token is found as a whole, in any case, with or
 * without the blank before it.
 * @param documents one for each feature, also where there is nothing to find but its number
 */
export async function createFeatureSearch(documents: readonly SearchDocument[]): Promise<FeatureSearch> {
  const index = new MiniSearch<SearchDocument>({
    idField: 'feature',
    fields: ['text', 'tokens'],
    stringifyField: (value, field) =>
      field === 'tokens' ? (value as readonly string[]).join(tokenEnd) : String(value),
    tokenize: (text, field) => (field === 'tokens' ? text.split(tokenEnd) : wordsOf(text)),
    processTerm: (term) => term,
  })
  const indexed = new Map(documents.map((document) => [document.feature, prepared(document)]))
  await index.addAllAsync([...indexed.values()], { chunkSize })
  return {
    search: (query, where) => {
      const find = (fuzzy: boolean): number[] => {
        const wanted = queryOf(query, where, fuzzy)
        return wanted ? inOrder(index.search(wanted)) : []
      }
      const exact = find(false)
      // Words that nearly match would only blur what matches; and looking for them takes time.
      const found = exact.length > 0 || where === 'token' ? exact : find(true)
      const number = numberOf(query)
      if (number === null || !index.has(number)) return found
      return [number, ...found.filter((feature) => feature !== number)]
    },
    update: (document) => {
      const before = indexed.get(document.feature)
      // Not `discard`: what it leaves behind would count in the scores until it is swept up.
      if (before) index.remove(before)
      const after = prepared(document)
      indexed.set(document.feature, after)
      index.add(after)
    },
  }
}

/** Stands in no token: controls are shown by their numbers. */
const tokenEnd = '\u0000'

const prepared = ({ feature, text, tokens }: SearchDocument): SearchDocument => ({
  feature,
  text,
  tokens: [...new Set(tokens.map(tokenTerm))],
})

const folded = (text: string): string => text.normalize('NFKC').toLowerCase()

/** A token as it is looked up; one of blanks only keeps them. */
const tokenTerm = (token: string): string => folded(token.trim() === '' ? token : token.trim())

const words = new Intl.Segmenter('en', { granularity: 'word' })

/** Scripts written without blanks between words. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

function wordsOf(text: string): string[] {
  const plain = folded(text)
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word !== '')
  return plain.flatMap((word) =>
    unspaced.test(word) ? Array.from(words.segment(word), ({ segment }) => segment) : [word],
  )
}

/** A number that was typed as the query, also as #12. */
function numberOf(query: string): number | null {
  const digits = /^\s*#?(\d{1,9})\s*$/.exec(query)
  return digits ? Number(digits[1]) : null
}

const inText: SearchOptions = {
  fields: ['text'],
  combineWith: 'AND',
  prefix: (term) => term.length > 1,
  tokenize: wordsOf,
}

const nearly: SearchOptions = { ...inText, fuzzy: (term) => (term.length > 4 ? 0.2 : false) }

/** A feature is more about the few tokens that it fires on than about the words of a sentence. */
const inTokens: SearchOptions = {
  fields: ['tokens'],
  prefix: false,
  fuzzy: false,
  boost: { tokens: 2 },
  tokenize: (token) => [tokenTerm(token)],
}

/** Each piece of the query must be found, as words or as a token; or the query as a whole is a token. null: there is nothing to look for. */
function queryOf(query: string, where: SearchIn, fuzzy: boolean): Query | null {
  const text = fuzzy ? nearly : inText
  const ofPiece = (piece: string): Query[] => [
    ...(where !== 'token' && wordsOf(piece).length > 0 ? [{ ...text, queries: [piece] }] : []),
    ...(where !== 'explanation' ? [{ ...inTokens, queries: [piece] }] : []),
  ]
  const pieces = query.split(/\s+/u).filter((piece) => piece !== '')
  const matches = pieces.map(ofPiece).filter((queries) => queries.length > 0)
  const all: Query[] = matches.length > 0 ? [{ combineWith: 'AND', queries: matches.map(either) }] : []
  const whole: Query[] =
    where !== 'explanation' && pieces.length !== 1 && query !== '' ? [{ ...inTokens, queries: [query] }] : []
  const queries = [...all, ...whole]
  return queries.length > 0 ? either(queries) : null
}

const either = (queries: Query[]): Query =>
  queries.length === 1 ? queries[0] : { combineWith: 'OR', queries }

/** Best first; the lower number first among equals, however the index came to be. */
function inOrder(results: readonly { id: number; score: number }[]): number[] {
  const found = results.map(({ id }) => id)
  for (let first = 0; first < found.length; ) {
    let end = first + 1
    while (end < found.length && results[end].score === results[first].score) end++
    if (end > first + 1) {
      const run = found.slice(first, end).sort((a, b) => a - b)
      for (let i = 0; i < run.length; i++) found[first + i] = run[i]
    }
    first = end
  }
  return found
}
