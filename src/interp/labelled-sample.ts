import type { TokenCorpus, TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { sampleWindows } from '../eval/sample-windows.js'
import { Random } from '../random/random.js'
import { documentRange, tokenizedText } from './document-text.js'
import { markTokens, type Predicate } from './predicates.js'

/** Which half of the sample a document is in: features are chosen on one and measured on the other. */
export type Half = 'selection' | 'heldOut'

export const halves: readonly Half[] = ['selection', 'heldOut']

/** Windows of one split with exact labels for their tokens. */
export interface LabelledSample {
  split: TokenSplit
  /** T */
  contextSize: number
  /** window indices of each half */
  windows: Record<Half, Int32Array>
  /**
   * [tokens of the split] 1 for tokens that count: in a sampled window, not <|endoftext|>, and of a document
   * of the window's own half (so no document is in both halves)
   */
  counted: Uint8Array
  /** per predicate [tokens of the split], valid where `counted` */
  labels: Uint8Array[]
}

export interface SampleOptions {
  contextSize: number
  /** size of the sample */
  tokens: number
  predicates: readonly Predicate[]
  seed: number
}

/**
 * Samples windows evenly over a split, gives each to the half of the document at its start, and labels the
 * tokens.
 */
export function labelledSample(
  split: TokenSplit,
  tokenizer: Pick<Tokenizer, 'tokenBytes'>,
  options: SampleOptions,
): LabelledSample {
  const { contextSize, predicates } = options
  const windows = sampleWindows(split, contextSize, options.tokens)
  const halfOf = documentHalves(split, options.seed)
  const sampled = new Uint8Array(Math.ceil(split.tokens.length / contextSize)).fill(0)
  const windowHalf = new Uint8Array(sampled.length)
  for (const window of windows) sampled[window] = 1
  const counted = new Uint8Array(split.tokens.length)
  const labels = predicates.map(() => new Uint8Array(split.tokens.length))
  for (let document = 0; document < split.documentStarts.length; document++) {
    const { first, end } = documentRange(split, document)
    let needed = false
    for (let token = first - 1; token < end; token++) {
      const window = Math.floor(token / contextSize)
      if (token % contextSize === 0) windowHalf[window] = halfOf[document]
      if (sampled[window] !== 1 || token < first) continue
      needed = true
      counted[token] = windowHalf[window] === halfOf[document] ? 1 : 0
    }
    if (!needed) continue
    const text = tokenizedText(split.tokens.subarray(first, end), tokenizer)
    predicates.forEach((predicate, p) => {
      labels[p].set(markTokens(predicate, text), first)
    })
  }
  const of = (half: number): Int32Array => windows.filter((window) => windowHalf[window] === half)
  return { split, contextSize, windows: { selection: of(0), heldOut: of(1) }, counted, labels }
}

/** A coin for each document, the same whatever the sample. [documents] */
function documentHalves(split: TokenSplit, seed: number): Uint8Array {
  const random = Random.named(seed, `case-studies.halves.${split.name}`)
  return Uint8Array.from(split.documentStarts, () => random.int(2))
}

/** Tokens that count in one half, and how many of them each predicate holds on. */
export function countHalf(
  samples: readonly LabelledSample[],
  half: Half,
): { tokens: number; positives: number[] } {
  let tokens = 0
  const positives = (samples[0]?.labels ?? []).map(() => 0)
  for (const { windows, contextSize, counted, labels } of samples)
    for (const window of windows[half])
      for (let token = window * contextSize; token < (window + 1) * contextSize; token++) {
        if (counted[token] === 0) continue
        tokens++
        for (let p = 0; p < labels.length; p++) positives[p] += labels[p][token]
      }
  return { tokens, positives }
}

/**
 * The sample for case studies: validation text up to the budget and, when some predicate holds on fewer than
 * `minPositives` tokens of either half, training text for what is left of the budget. Training text is
 * sampled evenly like the rest, never for what it contains: that would raise precision.
 */
export function caseStudySample(
  corpus: Pick<TokenCorpus, 'train' | 'validation' | 'tokenizer'>,
  options: SampleOptions & { minPositives: number },
): LabelledSample[] {
  const validation = labelledSample(corpus.validation, corpus.tokenizer, options)
  const windows = validation.windows.selection.length + validation.windows.heldOut.length
  const left = options.tokens - windows * options.contextSize
  const enough = halves.every((half) =>
    countHalf([validation], half).positives.every((count) => count >= options.minPositives),
  )
  if (enough || left < options.contextSize) return [validation]
  return [validation, labelledSample(corpus.train, corpus.tokenizer, { ...options, tokens: left })]
}
