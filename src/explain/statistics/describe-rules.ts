import type { Rate, Rules } from './rules.js'
import { contextClasses, tokenClasses } from './text-classes.js'

/** What tokens are called. */
export interface TokenWords {
  /** a token for people */
  tokenText(token: number): string
  /** [V] token class of each token */
  classOf: ArrayLike<number>
}

/** Tokens that an explanation names at most. */
const longestList = 4

/**
 * The main rules in short English: "Arabic script", "the token ‘ the’ after ‘ of’", "digits in dates and times". Shares are of the text positions on
 * which the unit is active.
 */
export function describeRules(rules: Rules, { tokenText, classOf }: TokenWords): string {
  const subject = subjectOf(rules, { tokenText, classOf })
  const after = previousOf(rules, tokenText)
  const within = contextOf(rules, subject.kind)
  const seldom =
    subject.probability < 0.4 && subject.probability > 0 ? ` (${timesOf(subject.probability)})` : ''
  return `${subject.text}${after ?? within ?? ''}${seldom}`
}

interface Subject {
  text: string
  /** the token class that the text names; null when it names tokens only */
  kind: string | null
  /** how often the unit is active on what the text names */
  probability: number
}

function subjectOf(rules: Rules, words: TokenWords): Subject {
  const tokens = [...rules.tokens]
  const [most] = tokens
  const [classId, classRate] = largest(rules.wholeClasses)
  const kind = tokenClasses[classId].name
  if (most[1].share >= 0.6)
    return {
      text: `the token ${quoted(words.tokenText(most[0]))}`,
      kind: null,
      probability: most[1].probability,
    }
  if (classRate.share >= 0.6 && classRate.probability >= 0.5)
    return { text: kind, kind, probability: classRate.probability }
  // Tokens that the unit is mostly silent on say less about it than those that always set it off.
  const telling = tokens.filter(([, { probability }]) => probability >= 0.3)
  const named = wordsFor(telling.length > 0 ? telling : tokens, words)
  const share = named.reduce((sum, rate) => sum + rate.share, 0)
  const probability = named.reduce((sum, rate) => sum + rate.share * rate.probability, 0) / share
  const list = namesOf(named)
  if (classRate.share >= 0.6 && share < 0.9) {
    const examples = telling.filter(([token]) => words.classOf[token] === classId)
    const names = wordsFor(examples, words)
      .map(({ word }) => word)
      .filter((word) => word !== kind)
    const such = names.length > 0 ? `, such as ${listOf(names)}` : ''
    return { text: `some ${kind}${such}`, kind, probability }
  }
  if (share >= 0.7) return { text: listOf(list), kind: null, probability }
  return { text: listOf([...list, 'others']), kind: null, probability }
}

/** What words are called in a list: scripts that they are pieces of come last and in one. */
function namesOf(words: readonly Word[]): string[] {
  const scripts = words.filter(({ word }) => word.endsWith(' script')).map(({ word }) => word)
  const others = words.filter(({ word }) => !word.endsWith(' script')).map(({ word }) => word)
  if (scripts.length < 2) return [...others, ...scripts]
  return [...others, `pieces of ${listOf(scripts.map((script) => script.replace(/ script$/, '')))} letters`]
}

interface Word {
  word: string
  share: number
  probability: number
}

/** The first few tokens as words: spellings that differ in case and blanks only are one, and pieces of characters go by their script. */
function wordsFor(tokens: readonly (readonly [number, Rate])[], { tokenText, classOf }: TokenWords): Word[] {
  const words = new Map<string, Word>()
  for (const [token, { share, probability }] of tokens) {
    const text = tokenText(token)
    const word = /⟨[0-9a-f]{2}⟩/.test(text) ? tokenClasses[classOf[token]].name : quoted(text.trim() || text)
    const key = word.toLowerCase()
    const known = words.get(key) ?? { word, share: 0, probability: 0 }
    if (words.size === longestList && !words.has(key)) continue
    const sum = known.share + share
    words.set(key, {
      word: known.word,
      share: sum,
      probability: (known.probability * known.share + probability * share) / sum,
    })
  }
  return [...words.values()]
}

function largest(rates: ReadonlyMap<number, Rate>): [number, Rate] {
  return [...rates].sort(([, a], [, b]) => b.share - a.share)[0]
}

/** " after ‘of’" when one or two tokens before account for most of the fires, and not just because they are common. */
function previousOf(rules: Rules, tokenText: (token: number) => string): string | null {
  // The model says that the token alone is enough.
  if (rules.needsContext === false) return null
  const telling = [...rules.previousShare]
    .filter(([token, share]) => share >= 0.2 && (rules.previous.get(token) ?? 0) >= Math.log(3))
    .sort(([, a], [, b]) => b - a)
    .slice(0, 2)
  if (telling.reduce((sum, [, share]) => sum + share, 0) < 0.5) return null
  const names = telling.map(([token]) => tokenText(token))
  if (names.every((name) => name === '<|endoftext|>')) return ' at the beginning of a text'
  return ` after ${names.map(quoted).join(' or ')}`
}

/** Kinds of text that say nothing. */
const vague = new Set(['words', 'other text'])

/** " in base64" when most fires are in text of that kind, and not just because it is common. */
function contextOf(rules: Rules, kind: string | null): string | null {
  const [most] = [...rules.contextShare].sort(([, a], [, b]) => b - a)
  if (!most || most[1] < 0.6 || (rules.contexts.get(most[0]) ?? 0) < Math.log(2)) return null
  const name = contextClasses[most[0]].name
  if (vague.has(name) || name === kind) return null
  if (name === 'the beginnings of lines') return ' at the beginning of a line'
  return ` in ${name}`
}

const quoted = (text: string): string => `‘${text}’`

function listOf(items: readonly string[]): string {
  if (items.length < 2) return items.join('')
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
}

/** "about 1 in 5 of them" */
const timesOf = (probability: number): string => `about 1 in ${Math.round(1 / probability)} of them`
