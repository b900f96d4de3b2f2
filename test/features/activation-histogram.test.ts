import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  binOf,
  createHistograms,
  doubleRange,
  doublingsFor,
  histogramBins,
  quantile,
  quantileProbabilities,
  shownHistogram,
} from '../../src/features/activation-histogram.js'
import { Random } from '../../src/random/random.js'

function histogramOf(values: number[]) {
  const histograms = createHistograms(2)
  for (const value of values) {
    for (let n = doublingsFor(histograms, 1, value); n > 0; n--) doubleRange(histograms, 1)
    histograms.counts[histogramBins + binOf(histograms.range[1], value)]++
  }
  return histograms
}

test('quantiles are right to one bin, at most 1/128 of the maximum', () => {
  const random = Random.named(1, 'quantiles')
  const values = Array.from({ length: 5000 }, () => Math.exp(random.normal()))
  const sorted = values.toSorted((a, b) => a - b)
  const max = sorted.at(-1) as number
  const histograms = histogramOf(values)
  for (const probability of quantileProbabilities) {
    const found = quantile(histograms, 1, probability, { fires: 5000, max }) as number
    const exact = sorted[Math.ceil(probability * 5000) - 1]
    assert.ok(Math.abs(found - exact) <= max / 128, `${probability}: ${found} and ${exact}`)
  }
  assert.equal(quantile(histograms, 1, 1, { fires: 5000, max }), max)
  assert.equal(quantile(histograms, 0, 0.5, { fires: 0, max: 0 }), null)
})

test('the shown histogram has every fire once, four bins in one', () => {
  const histograms = histogramOf([1, 1, 0.5, 0.004, 0.011, 0.016])
  const shown = shownHistogram(histograms, 1)
  assert.equal(shown.length, 64)
  assert.deepEqual([shown[0], shown[1], shown[31], shown[63]], [2, 1, 1, 2])
  assert.equal(
    shown.reduce((a, b) => a + b),
    6,
  )
})
