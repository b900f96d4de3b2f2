import { MonosemError } from '../errors/monosem-error.js'
import { base64Spans } from './base64.js'
import type { TokenizedText } from './document-text.js'
import { matchSpans, type Span, tokensInSpans } from './spans.js'

/** An exact property of tokens in their text, to hold features against. */
export interface Predicate {
  name: string
  /** one line: what it is true of */
  description: string
  /** stretches of a text in which it holds */
  spans(text: string): Span[]
}

/** Which tokens of a document a predicate holds on: [tokens] of 0 and 1. */
export function markTokens(predicate: Predicate, document: TokenizedText): Uint8Array {
  return tokensInSpans(document, predicate.spans(document.text))
}

const byExpression = (name: string, description: string, expression: RegExp): Predicate => ({
  name,
  description,
  spans: (text) => matchSpans(text, expression),
})

/**
 * The predicates of the case studies in "Towards Monosemanticity", section "Detailed investigations of
 * individual features".
 */
export const builtInPredicates: readonly Predicate[] = [
  byExpression(
    'arabic',
    'characters that Unicode counts to the Arabic script, its digits and commas too',
    /\p{Script_Extensions=Arabic}+/gu,
  ),
  byExpression(
    'hebrew',
    'characters that Unicode counts to the Hebrew script',
    /\p{Script_Extensions=Hebrew}+/gu,
  ),
  byExpression(
    'dna',
    'runs of at least 12 of A, C, G and T, in no longer word, over line ends too',
    /(?<![\p{L}\p{N}_+/])[ACGT](?:\r?\n?[ACGT]){11,}(?![\p{L}\p{N}_+/=])/gu,
  ),
  {
    name: 'base64',
    description: 'runs of at least 24 characters of base64 that look random',
    spans: base64Spans,
  },
]

/**
 * A user's own predicate, written `name=expression`: true inside matches of the regular expression (flags u
 * and g).
 * @throws MonosemError config (no name, or no valid expression)
 */
export function parsePredicate(setting: string): Predicate {
  const [, name, source] = /^([\w-]+)=(.+)$/s.exec(setting) ?? []
  if (!name || !source)
    throw new MonosemError('config', `predicate: expected name=expression, got ${JSON.stringify(setting)}`, {
      hint: 'for example numbers=\\d+',
    })
  return regexPredicate(name, source)
}

/**
 * True inside matches of a regular expression (flags u and g).
 * @param ignoreCase upper and lower case are the same
 * @throws MonosemError config (no valid expression)
 */
export function regexPredicate(name: string, source: string, ignoreCase = false): Predicate {
  const flags = ignoreCase ? 'iu' : 'u'
  try {
    return byExpression(name, `matches of /${source}/${flags}`, new RegExp(source, `g${flags}`))
  } catch (cause) {
    throw new MonosemError('config', `predicate ${name}: ${source} is not a regular expression`, {
      cause,
      hint: cause instanceof Error ? cause.message : undefined,
    })
  }
}

/**
 * Characters that Unicode counts to a script (Script_Extensions: shared digits and marks too).
 * @param script a name of Unicode, such as Arabic, Cyrillic or Han
 * @throws MonosemError config (no such script)
 */
export function scriptPredicate(script: string): Predicate {
  try {
    if (!/^\w+$/.test(script)) throw new SyntaxError(script)
    const expression = new RegExp(`\\p{Script_Extensions=${script}}+`, 'gu')
    return byExpression(script, `characters that Unicode counts to the script ${script}`, expression)
  } catch (cause) {
    throw new MonosemError('config', `script: Unicode has none called ${JSON.stringify(script)}`, {
      cause,
      hint: 'for example Arabic, Hebrew, Cyrillic, Greek, Han, Latin: with a capital letter, as Unicode writes them',
    })
  }
}

/**
 * The built-in predicates of these names, then the user's own.
 * @throws MonosemError config (unknown or repeated name, bad expression)
 */
export function choosePredicates(names: readonly string[], own: readonly string[]): Predicate[] {
  const chosen = names.map((name) => {
    const found = builtInPredicates.find((predicate) => predicate.name === name)
    if (found) return found
    throw new MonosemError('config', `predicate: there is none called ${name}`, {
      hint: `built in are ${builtInPredicates.map((predicate) => predicate.name).join(', ')}`,
    })
  })
  const all = [...chosen, ...own.map(parsePredicate)]
  const repeated = all.find((a, i) => all.findIndex((b) => b.name === a.name) < i)
  if (repeated) throw new MonosemError('config', `predicate ${repeated.name} is asked for twice`)
  return all
}
