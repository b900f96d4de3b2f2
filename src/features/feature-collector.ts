import type { TokenSplit } from '../corpus/corpus.js'
import type { EncodedBatch } from '../eval/encoded-windows.js'
import { Random } from '../random/random.js'
import {
  type ActivationHistograms,
  binOf,
  createHistograms,
  doubleRange,
  doublingsFor,
  histogramBins,
} from './activation-histogram.js'
import { addCodeRow, byFeature, type CodeChunks, createCodeChunks, emptyChunk } from './code-chunks.js'
import type { ContextShape } from './context.js'
import type { CodedStretch } from './example-slots.js'
import type { FeaturesConfig } from './features-config.js'
import {
  createIntervalSamples,
  type IntervalSamples,
  mergeSampleBins,
  offerSample,
} from './interval-examples.js'
import { countTokens, createTokenCounts, type TokenCounts } from './token-counts.js'
import { createTopExamples, offerTopExample, type TopExamples } from './top-examples.js'

/**
 * What one pass over text gathers about each of F features. Its size depends on F, never on the length of the
 * text.
 */
export interface FeatureCollector {
  split: TokenSplit
  contextSize: number
  /** text positions seen */
  tokens: number
  /** [F] tokens on which the feature fired */
  fires: Float64Array
  /** [F] sum of its activations */
  sum: Float64Array
  /** [F] */
  max: Float32Array
  histograms: ActivationHistograms
  top: TopExamples
  samples: IntervalSamples
  /** [F] largest activation in the current window and where; only features in `touched` have one */
  windowMax: Float32Array
  windowToken: Int32Array
  touched: number[]
  /** codes that the counts below do not hold yet */
  chunks: CodeChunks
  tokenCounts: TokenCounts
}

/** @param sizes F and V */
export function createCollector(
  { features, vocabulary }: { features: number; vocabulary: number },
  split: TokenSplit,
  shape: ContextShape,
  config: FeaturesConfig,
): FeatureCollector {
  const key = Random.named(config.seed, 'features.examples').uint32()
  return {
    split,
    contextSize: shape.contextSize,
    tokens: 0,
    fires: new Float64Array(features),
    sum: new Float64Array(features),
    max: new Float32Array(features),
    histograms: createHistograms(features),
    top: createTopExamples(features, config.topExamples, shape),
    samples: createIntervalSamples(features, config.examplesPerInterval, shape, key),
    windowMax: new Float32Array(features),
    windowToken: new Int32Array(features),
    touched: [],
    chunks: createCodeChunks(),
    tokenCounts: createTokenCounts(features, vocabulary),
  }
}

/**
 * Adds a batch of encoded windows. A window gives each feature at most one top example: its largest
 * activation there. `finish` has to follow the last batch.
 */
export function collect(collector: FeatureCollector, encoded: EncodedBatch): void {
  const t = collector.contextSize
  const { rows, codes, windows } = encoded
  const rowOf = new Int32Array(windows.length * t).fill(-1)
  for (let i = 0; i < rows.length; i++) rowOf[rows[i]] = i
  let row = 0
  for (let w = 0; w < windows.length; w++) {
    const firstToken = windows[w] * t
    const stretch: CodedStretch = { codes, firstToken, rowOf: rowOf.subarray(w * t, (w + 1) * t) }
    for (; row < rows.length && rows[row] < (w + 1) * t; row++) {
      const token = firstToken + rows[row] - w * t
      collectRow(collector, stretch, row, token)
      if (addCodeRow(collector.chunks, codes, row, collector.split.tokens[token])) countChunk(collector)
    }
    endWindow(collector, stretch)
  }
  collector.tokens += rows.length
}

/** Counts what is left of the last chunk. */
export function finish(collector: FeatureCollector): void {
  countChunk(collector)
}

function countChunk({ chunks, fires, tokenCounts }: FeatureCollector): void {
  const firesByFeature = byFeature(chunks.chunk, fires.length)
  countTokens(tokenCounts, chunks.chunk, firesByFeature)
  emptyChunk(chunks)
}

function collectRow(collector: FeatureCollector, stretch: CodedStretch, row: number, token: number): void {
  const { histograms, fires, sum, max, windowMax } = collector
  const { rowOffsets, featureIds, values } = stretch.codes
  for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) {
    const feature = featureIds[e]
    const activation = values[e]
    fires[feature]++
    sum[feature] += activation
    if (activation > max[feature]) {
      max[feature] = activation
      for (let n = doublingsFor(histograms, feature, activation); n > 0; n--) {
        doubleRange(histograms, feature)
        mergeSampleBins(collector.samples, feature)
      }
    }
    const bin = binOf(histograms.range[feature], activation)
    histograms.counts[feature * histogramBins + bin]++
    offerSample(collector.samples, collector.split, feature, activation, token, bin, stretch)
    if (activation > windowMax[feature]) {
      if (windowMax[feature] === 0) collector.touched.push(feature)
      windowMax[feature] = activation
      collector.windowToken[feature] = token
    }
  }
}

function endWindow(collector: FeatureCollector, stretch: CodedStretch): void {
  const { touched, windowMax, windowToken } = collector
  for (const feature of touched) {
    offerTopExample(
      collector.top,
      collector.split,
      feature,
      windowMax[feature],
      windowToken[feature],
      stretch,
    )
    windowMax[feature] = 0
  }
  touched.length = 0
}
