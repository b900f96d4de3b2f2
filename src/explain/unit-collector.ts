import type { TokenSplit } from '../corpus/corpus.js'
import type { EncodedBatch } from '../eval/encoded-windows.js'
import {
  type ActivationHistograms,
  binOf,
  createHistograms,
  doubleRange,
  doublingsFor,
  histogramBins,
} from '../features/activation-histogram.js'
import type { ContextShape } from '../features/context.js'
import type { CodedStretch } from '../features/example-slots.js'
import {
  createIntervalSamples,
  type IntervalSamples,
  mergeSampleBins,
  offerSample,
} from '../features/interval-examples.js'
import { createTopExamples, offerTopExample, type TopExamples } from '../features/top-examples.js'

/** How often and how strongly each of U units is active on a text, and examples of it. Memory depends on U only. */
export interface UnitCollector {
  split: TokenSplit
  shape: ContextShape
  /** text positions seen */
  tokens: number
  /** [U] tokens on which it was active, and its largest activation */
  fires: Float64Array
  max: Float32Array
  histograms: ActivationHistograms
  top: TopExamples
  samples: IntervalSamples
  /** [U] largest activation in the current window and where; only units in `touched` have one */
  windowMax: Float32Array
  windowToken: Int32Array
  touched: number[]
}

export interface UnitCollectorOptions {
  split: TokenSplit
  shape: ContextShape
  /** [U] numbers of the units for the random draw */
  ids: Int32Array
  /** top examples kept, and random ones in each 32nd of the range */
  top: number
  perBin: number
  /** 32 random bits */
  key: number
}

export function createUnitCollector(options: UnitCollectorOptions): UnitCollector {
  const { split, shape, ids, top, perBin, key } = options
  const units = ids.length
  return {
    split,
    shape,
    tokens: 0,
    fires: new Float64Array(units),
    max: new Float32Array(units),
    histograms: createHistograms(units),
    top: createTopExamples(units, top, shape),
    samples: { ...createIntervalSamples(units, perBin, shape, key), ids },
    windowMax: new Float32Array(units),
    windowToken: new Int32Array(units),
    touched: [],
  }
}

/** One window of a batch: its first token, and its rows of the codes, first (included) to end (excluded). */
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

/** Adds one window, which gives each unit at most one top example: its largest activation there. */
export function collectWindow(collector: UnitCollector, { stretch, first, end }: EncodedWindow): void {
  stretch.rowOf.forEach((row, i) => {
    if (row >= 0) collectRow(collector, stretch, row, stretch.firstToken + i)
  })
  const { touched, windowMax, windowToken, top, split } = collector
  for (const unit of touched) {
    offerTopExample(top, split, unit, windowMax[unit], windowToken[unit], stretch)
    windowMax[unit] = 0
  }
  touched.length = 0
  collector.tokens += end - first
}

function collectRow(collector: UnitCollector, stretch: CodedStretch, row: number, token: number): void {
  const { histograms, fires, max, windowMax, windowToken, samples, split, touched } = collector
  const { rowOffsets, featureIds, values } = stretch.codes
  for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) {
    const unit = featureIds[e]
    const activation = values[e]
    fires[unit]++
    if (activation > max[unit]) {
      max[unit] = activation
      for (let n = doublingsFor(histograms, unit, activation); n > 0; n--) {
        doubleRange(histograms, unit)
        mergeSampleBins(samples, unit)
      }
    }
    const bin = binOf(histograms.range[unit], activation)
    histograms.counts[unit * histogramBins + bin]++
    offerSample(samples, split, unit, activation, token, bin, stretch)
    if (activation <= windowMax[unit]) continue
    if (windowMax[unit] === 0) touched.push(unit)
    windowMax[unit] = activation
    windowToken[unit] = token
  }
}
