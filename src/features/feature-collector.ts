import type { TokenSplit } from '../corpus/corpus.js'
import type { EncodedBatch } from '../eval/encoded-windows.js'
import {
  type ActivationHistograms,
  binOf,
  createHistograms,
  doubleRange,
  doublingsFor,
  histogramBins,
} from './activation-histogram.js'
import type { FeatureSums } from './co-activation.js'
import type { ContextShape } from './context.js'
import type { CodedStretch } from './example-slots.js'
import {
  createIntervalSamples,
  type IntervalSamples,
  mergeSampleBins,
  offerSample,
} from './interval-examples.js'
import { createTopExamples, offerTopExample, type TopExamples } from './top-examples.js'

/**
 * What one pass over text gathers about each of F features. Its size depends on F, never on the length of the
 * text.
 */
export interface FeatureCollector extends FeatureSums {
  split: TokenSplit
  shape: ContextShape
  /** [F] */
  max: Float32Array
  histograms: ActivationHistograms
  top: TopExamples
  samples: IntervalSamples
  /** [F] largest activation in the current window and where; only features in `touched` have one */
  windowMax: Float32Array
  windowToken: Int32Array
  touched: number[]
}

export interface CollectorOptions {
  features: number
  split: TokenSplit
  shape: ContextShape
  /** examples kept for each feature: the largest activations, and random ones in each 32nd of the range */
  top: number
  perBin: number
  /** 32 random bits of the draw */
  key: number
  /** [F] numbers that the features have in the draw; default: their own */
  ids?: Int32Array
}

export function createCollector(options: CollectorOptions): FeatureCollector {
  const { features, split, shape, top, perBin, key, ids } = options
  return {
    split,
    shape,
    tokens: 0,
    fires: new Float64Array(features),
    sum: new Float64Array(features),
    squares: new Float64Array(features),
    max: new Float32Array(features),
    histograms: createHistograms(features),
    top: createTopExamples(features, top, shape),
    samples: { ...createIntervalSamples(features, perBin, shape, key), ids },
    windowMax: new Float32Array(features),
    windowToken: new Int32Array(features),
    touched: [],
  }
}

/** One window of a batch: its codes, and its rows of them, first (included) to end (excluded). */
export interface EncodedWindow {
  stretch: CodedStretch
  first: number
  end: number
}

/** The windows of a batch one after the other. */
export function* windowsOf(encoded: EncodedBatch, contextSize: number): Generator<EncodedWindow> {
  const { rows, codes, windows } = encoded
  let end = 0
  for (let w = 0; w < windows.length; w++) {
    const rowOf = new Int32Array(contextSize).fill(-1)
    const first = end
    for (; end < rows.length && rows[end] < (w + 1) * contextSize; end++)
      rowOf[rows[end] - w * contextSize] = end
    yield { stretch: { codes, firstToken: windows[w] * contextSize, rowOf }, first, end }
  }
}

/** Adds a batch of encoded windows. */
export function collect(collector: FeatureCollector, encoded: EncodedBatch): void {
  for (const window of windowsOf(encoded, collector.shape.contextSize)) collectWindow(collector, window)
}

/** Adds one window, which gives each feature at most one top example: its largest activation there. */
export function collectWindow(collector: FeatureCollector, { stretch, first, end }: EncodedWindow): void {
  const { rowOf, firstToken } = stretch
  for (let i = 0; i < rowOf.length; i++)
    if (rowOf[i] >= 0) collectRow(collector, stretch, rowOf[i], firstToken + i)
  endWindow(collector, stretch)
  collector.tokens += end - first
}

function collectRow(collector: FeatureCollector, stretch: CodedStretch, row: number, token: number): void {
  const { histograms, fires, sum, squares, max, windowMax } = collector
  const { rowOffsets, featureIds, values } = stretch.codes
  for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) {
    const feature = featureIds[e]
    const activation = values[e]
    fires[feature]++
    sum[feature] += activation
    squares[feature] += activation * activation
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
