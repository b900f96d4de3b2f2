import { readableBytes, type Tokenizer } from '../../../src/corpus/tokenizer.js'
import type { Example, ExampleGroup, FeatureEvidence } from '../../../src/explain/evidence.js'
import { Random } from '../../../src/random/random.js'
import { pieceTokenizer } from '../../model/tiny-corpus.js'

/** A tokenizer of pieces that shows its tokens as a real one does. */
export function readableTokenizer(pieces: readonly (readonly number[])[]): Tokenizer {
  const tokenizer = pieceTokenizer(pieces)
  return { ...tokenizer, tokenText: (id) => readableBytes(tokenizer.tokenBytes(id)) }
}

/**
 * A made-up feature: active on the nine tokens ` hot1` to ` hot9`, by their number, except after ` not`. Everything else is ` word0` to
 * ` word199` and a character whose three bytes are three tokens.
 */
const words = [
  ' not',
  ...Array.from({ length: 9 }, (_, i) => ` hot${i + 1}`),
  ...Array.from({ length: 200 }, (_, i) => ` word${i}`),
]
export const toyTokenizer = readableTokenizer([
  ...words.map((word) => [...Buffer.from(word)]),
  ...[...Buffer.from('漢')].map((byte) => [byte]),
])

const not = 1
const hot = (k: number): number => 1 + k
const firstWord = 11
const character = [211, 212, 213]

/** What the feature does on text, in its own units. */
export function toyActivations(tokens: readonly number[]): number[] {
  return tokens.map((token, i) => {
    const k = token - not
    return k >= 1 && k <= 9 && tokens[i - 1] !== not ? k * 0.5 : 0
  })
}

const contextLength = 32

function toyExample(random: Random, group: ExampleGroup, interval: number | null, k: number): Example {
  const tokens = Array.from({ length: contextLength }, () => firstWord + random.int(200))
  const tokenIndex = 20
  // Now and then a character over three tokens, also across the edges of the crop.
  if (random.uniform() < 0.3) tokens.splice(10 + random.int(6), 3, ...character)
  if (k > 0) tokens[tokenIndex] = hot(k)
  if (group === 'out-of-context') tokens[tokenIndex - 1] = not
  return {
    group,
    interval,
    split: 'train',
    document: random.int(1000),
    position: 100,
    tokenIndex,
    tokens,
    activations: toyActivations(tokens),
  }
}

function toyExamples(
  random: Random,
  counts: { top: number; random: number; outOfContext: number },
): Example[] {
  const many = (n: number, make: (i: number) => Example): Example[] =>
    Array.from({ length: n }, (_, i) => make(i))
  return [
    ...many(counts.top, () => toyExample(random, 'top', null, 9)),
    ...many(24, (i) =>
      toyExample(random, 'interval', Math.floor(i / 2), Math.max(1, Math.ceil(((i / 2) * 9) / 12))),
    ),
    ...many(counts.random, () => toyExample(random, 'random', null, 0)),
    ...many(counts.outOfContext, (i) => toyExample(random, 'out-of-context', null, 1 + (i % 9))),
    ...many(10, () => toyExample(random, 'neighbour', null, 0)),
  ]
}

export function toyEvidence(seed = 1): FeatureEvidence {
  const random = new Random(seed)
  return {
    feature: 42,
    max: 4.5,
    density: 0.01,
    topLogits: Array.from({ length: 60 }, (_, i) => ({ token: firstWord + i, weight: 3 - i / 100 })),
    bottomLogits: Array.from({ length: 20 }, (_, i) => ({ token: firstWord + 199 - i, weight: -3 })),
    singleToken: false,
    explain: toyExamples(random, { top: 10, random: 5, outOfContext: 10 }),
    score: toyExamples(random, { top: 6, random: 10, outOfContext: 20 }),
  }
}

/** What a reader who knows the rule says of shown tokens: a digit for each. */
export function toyDigits(tokens: readonly string[]): number[] {
  return tokens.map((token, i) => (tokens[i - 1] === ' not' ? 0 : Number(/^ hot(\d)$/.exec(token)?.[1] ?? 0)))
}
