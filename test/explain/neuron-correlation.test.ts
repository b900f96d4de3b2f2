import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EncodedBatch } from '../../src/eval/encoded-windows.js'
import {
  addCorrelation,
  createNeuronCorrelation,
  mostCorrelatedNeuron,
  type NeuronCorrelation,
} from '../../src/explain/neuron-correlation.js'
import { pearson } from '../../src/interp/correlation.js'
import { Random } from '../../src/random/random.js'

const [units, d, rows] = [3, 5, 200]
const random = Random.named(3, 'correlation')
/** [rows, units]: unit 2 is never active. */
const features = Float32Array.from({ length: rows * units }, (_, i) =>
  i % units === 2 ? 0 : Math.max(0, random.normal()),
)
/** [rows, d]: neuron 3 follows unit 0 on a large offset, neuron 1 goes against unit 1, neuron 4 is constant. */
const neurons = Float32Array.from({ length: rows * d }, (_, i) => {
  const row = Math.floor(i / d)
  const noise = random.normal()
  return [noise, noise - 2 * features[row * units + 1], noise, noise + 100 + 3 * features[row * units], 7][
    i % d
  ]
})

/** Rows first .. end - 1 as a batch. */
function batch(first: number, end: number): EncodedBatch {
  const rowOffsets = [0]
  const entries: { id: number; value: number }[] = []
  for (let row = first; row < end; row++) {
    for (let id = 0; id < units; id++) {
      const value = features[row * units + id]
      if (value > 0) entries.push({ id, value })
    }
    rowOffsets.push(entries.length)
  }
  return {
    codes: {
      rowOffsets: Int32Array.from(rowOffsets),
      featureIds: Int32Array.from(entries, ({ id }) => id),
      values: Float32Array.from(entries, ({ value }) => value),
    },
    activations: neurons.slice(first * d, end * d),
  } as unknown as EncodedBatch
}

function bySlowReference(unit: number): number {
  const column = (values: Float32Array, width: number, j: number) =>
    Array.from({ length: rows }, (_, row) => values[row * width + j])
  const correlations = Array.from(
    { length: d },
    (_, j) => pearson(column(neurons, d, j), column(features, units, unit)) ?? Number.NEGATIVE_INFINITY,
  )
  return correlations.indexOf(Math.max(...correlations))
}

const sums = createNeuronCorrelation(units, d) as NeuronCorrelation
for (let first = 0; first < rows; first += 32) addCorrelation(sums, batch(first, Math.min(rows, first + 32)))

test('the neuron of a feature is the one of the largest Pearson correlation over all batches', () => {
  assert.equal(mostCorrelatedNeuron(sums, 0), 3)
  for (const unit of [0, 1]) assert.equal(mostCorrelatedNeuron(sums, unit), bySlowReference(unit))
})

test('a neuron that goes against a feature, or does nothing, does not go with it', () => {
  assert.notEqual(mostCorrelatedNeuron(sums, 1), 1)
  assert.notEqual(mostCorrelatedNeuron(sums, 1), 4)
})

test('no neuron goes with a feature that was never active', () => {
  assert.equal(mostCorrelatedNeuron(sums, 2), null)
})

test('more sums than there is room for are not begun', () => {
  assert.equal(createNeuronCorrelation(2 ** 20, 2 ** 10), null)
})
