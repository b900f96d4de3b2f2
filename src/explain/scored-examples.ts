import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { MonosemError } from '../errors/monosem-error.js'
import { cropExample } from './crop.js'
import type { Example, FeatureEvidence, ScoredExample } from './evidence.js'
import { predictCounts, protocolExamples } from './protocol-examples.js'
import { quantise } from './quantise.js'

/**
 * Examples with what an explanation predicts on them.
 * @param crops what was predicted on, in order
 * @param max the feature's largest activation, which its digits are relative to
 * @param predicted digits of all tokens of all crops, one after the other; null: nothing was predicted
 */
export function scoredExamples(
  crops: readonly Example[],
  max: number,
  predicted: readonly number[] | null,
): ScoredExample[] {
  let first = 0
  return crops.map(({ group, interval, document, position, tokenIndex, tokens, activations }) => {
    const end = first + tokens.length
    const predictions = predicted?.slice(first, end) ?? null
    first = end
    return {
      ...{ group, interval, document, position, tokenIndex, tokens, predictions },
      activations: activations.map((value) => quantise(value, max)),
    }
  })
}

/** The held-out examples of the protocol without predictions: for explanations that nobody predicted from. */
export function unpredictedExamples(evidence: FeatureEvidence, tokens: number): ScoredExample[] {
  const examples = protocolExamples(evidence.score, predictCounts, evidence.explain, tokens)
  return scoredExamples(
    examples.map((example) => cropExample(example, tokens)),
    evidence.max,
    null,
  )
}

/** Columns compress better than rows; digits stand side by side as text. */
interface Packed {
  group: string[]
  interval: (number | null)[]
  document: number[]
  position: number[]
  tokenIndex: number[]
  /** tokens of each example */
  length: number[]
  tokens: number[]
  activations: string
  predictions: string | null
}

/** About 1.3 kB for 60 examples of 9 tokens: deflated JSON. */
export function packExamples(examples: readonly ScoredExample[]): Uint8Array {
  const column = <K extends keyof ScoredExample>(key: K): ScoredExample[K][] =>
    examples.map((one) => one[key])
  const predictions = examples.flatMap((one) => one.predictions ?? [])
  const packed: Packed = {
    group: column('group'),
    interval: column('interval'),
    document: column('document'),
    position: column('position'),
    tokenIndex: column('tokenIndex'),
    length: examples.map(({ tokens }) => tokens.length),
    tokens: column('tokens').flat(),
    activations: column('activations').flat().join(''),
    predictions: predictions.length > 0 ? predictions.join('') : null,
  }
  return deflateRawSync(JSON.stringify(packed), { level: 9 })
}

/** @throws MonosemError corrupt */
export function unpackExamples(bytes: Uint8Array): ScoredExample[] {
  try {
    const packed = JSON.parse(inflateRawSync(bytes).toString('utf8')) as Packed
    let end = 0
    return packed.length.map((length, i) => {
      const first = end
      end += length
      const digits = (text: string): number[] => Array.from(text.slice(first, end), Number)
      return {
        group: packed.group[i] as ScoredExample['group'],
        interval: packed.interval[i],
        document: packed.document[i],
        position: packed.position[i],
        tokenIndex: packed.tokenIndex[i],
        tokens: packed.tokens.slice(first, end),
        activations: digits(packed.activations),
        predictions: packed.predictions === null ? null : digits(packed.predictions),
      }
    })
  } catch (cause) {
    throw new MonosemError('corrupt', 'the examples that an explanation was scored on cannot be read', {
      cause,
      hint: 'remove the explanations and explain the features again',
    })
  }
}
