import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenSplit } from '../../src/corpus/corpus.js'
import type { EncodedBatch } from '../../src/eval/encoded-windows.js'
import { histogramBins } from '../../src/features/activation-histogram.js'
import { contextRange } from '../../src/features/context.js'
import { activationOf } from '../../src/features/example-slots.js'
import { collect, createCollector, type FeatureCollector } from '../../src/features/feature-collector.js'
import { featuresConfigSchema } from '../../src/features/features-config.js'
import { drawIntervalExamples, priorityOf, sampleBins } from '../../src/features/interval-examples.js'
import { topExamplesOf } from '../../src/features/top-examples.js'
import { Random } from '../../src/random/random.js'
import { tinySplit } from '../model/tiny-corpus.js'

const contextSize = 8
const features = 5
const shape = { contextSize, before: 2, after: 1, startOfText: 0 }
const config = featuresConfigSchema.parse({ topExamples: 4, examplesPerInterval: 3, intervals: 6 })

/** Activations [tokens, features], long-tailed so that ranges double; a function of the token's index. */
function activations(split: TokenSplit): Float32Array {
  const random = Random.named(7, 'activations')
  const dense = new Float32Array(split.tokens.length * features)
  for (let i = 0; i < dense.length; i++) {
    const feature = i % features
    const value = Math.exp(0.8 * random.normal())
    if (feature > 0 && random.uniform() < 0.4 && split.tokens[(i - feature) / features] !== 0)
      dense[i] = value
  }
  return dense
}

/** What encodedWindows would give for these activations. */
function encodedBatch(split: TokenSplit, dense: Float32Array, windows: number[]): EncodedBatch {
  const rows: number[] = []
  const [rowOffsets, featureIds, values]: number[][] = [[0], [], []]
  windows.forEach((window, w) => {
    for (let i = 0; i < contextSize; i++) {
      const token = window * contextSize + i
      if (split.tokens[token] === 0) continue
      rows.push(w * contextSize + i)
      for (let f = 0; f < features; f++)
        if (dense[token * features + f] > 0) {
          featureIds.push(f)
          values.push(dense[token * features + f])
        }
      rowOffsets.push(featureIds.length)
    }
  })
  const length = windows.length * contextSize
  return {
    windows: Int32Array.from(windows),
    batch: {
      tokens: new Int32Array(length),
      targets: new Int32Array(length),
      starts: new Int32Array(length),
    },
    rows: Int32Array.from(rows),
    codes: {
      rowOffsets: Int32Array.from(rowOffsets),
      featureIds: Int32Array.from(featureIds),
      values: Float32Array.from(values),
    },
    activations: null,
  }
}

const split = tinySplit('train', 1601, 40)
const dense = activations(split)
const windows = Array.from({ length: 200 }, (_, i) => i)

function newCollector(from: TokenSplit, key = 7): FeatureCollector {
  const { topExamples: top, examplesPerInterval: perBin } = config
  return createCollector({ features, split: from, shape, top, perBin, key })
}

function collected(batchSize: number, order = windows): FeatureCollector {
  const collector = newCollector(split)
  for (let i = 0; i < order.length; i += batchSize)
    collect(collector, encodedBatch(split, dense, order.slice(i, i + batchSize)))
  return collector
}

/** All activations of a feature: [token, activation]. */
const activeTokens = (feature: number): [number, number][] =>
  Array.from({ length: 1600 }, (_, token): [number, number] => [
    token,
    dense[token * features + feature],
  ]).filter(([, activation]) => activation > 0)

const contextKey = (token: number): string => {
  const { first, end } = contextRange(split, shape, token)
  return split.tokens.subarray(first, end).join(' ')
}

test('fires, maximum, sum and histogram agree with a count over all activations', () => {
  const collector = collected(3)
  assert.equal(collector.tokens, split.tokens.subarray(0, 1600).filter((token) => token !== 0).length)
  for (let feature = 0; feature < features; feature++) {
    const values = activeTokens(feature).map(([, activation]) => activation)
    assert.equal(collector.fires[feature], values.length)
    assert.equal(collector.max[feature], Math.max(0, ...values))
    const range = collector.histograms.range[feature]
    if (values.length > 0) assert.ok(range >= collector.max[feature] && range / 2 < collector.max[feature])
    const expected = new Array(histogramBins).fill(0)
    for (const value of values) expected[Math.ceil((value / range) * histogramBins) - 1]++
    const start = feature * histogramBins
    assert.deepEqual(Array.from(collector.histograms.counts.subarray(start, start + histogramBins)), expected)
  }
})

test('top examples are the largest, one per window and none with the context of a larger one', () => {
  const collector = collected(7)
  for (let feature = 1; feature < features; feature++) {
    const perWindow = new Map<number, [number, number]>()
    for (const [token, activation] of activeTokens(feature)) {
      const window = Math.floor(token / contextSize)
      if (activation > (perWindow.get(window)?.[1] ?? 0)) perWindow.set(window, [token, activation])
    }
    const seen = new Set<string>()
    const expected = [...perWindow.values()]
      .sort((a, b) => b[1] - a[1])
      .filter(([token]) => !seen.has(contextKey(token)) && seen.add(contextKey(token)))
      .slice(0, 4)
    const found = topExamplesOf(collector.top, feature)
    assert.deepEqual(
      found.map(({ token, activation }) => [token, activation]),
      expected,
    )
  }
  assert.deepEqual(topExamplesOf(collector.top, 0), [], 'a dead feature has none')
})

test('of two examples with the same context the larger activation stays', () => {
  const tokens = Uint16Array.of(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0)
  const twice = {
    ...split,
    tokens,
    documentStarts: Int32Array.of(0, 8, 16),
    documentIds: Int32Array.of(0, 1, 2),
  }
  const values = new Float32Array(16 * features)
  values[3 * features + 2] = 1
  values[11 * features + 2] = 1.5
  const collector = newCollector(twice)
  collect(collector, encodedBatch(twice, values, [0, 1]))
  const found = topExamplesOf(collector.top, 2)
  assert.deepEqual(
    found.map(({ token, activation }) => [token, activation]),
    [[11, 1.5]],
  )
})

test("an example carries the feature's activation on every token of its context", () => {
  const collector = collected(5)
  for (const example of topExamplesOf(collector.top, 3)) {
    const { first, end } = example.range
    const expected = Array.from({ length: end - first }, (_, i) => dense[(first + i) * features + 3])
    assert.deepEqual(Array.from(example.activations), expected)
    assert.equal(example.activations[example.token - first], example.activation)
  }
})

test('a bin keeps exactly the activations with the smallest priorities, however often the range doubled', () => {
  const collector = collected(4)
  const { samples, histograms } = collector
  for (let feature = 1; feature < features; feature++)
    for (let bin = 0; bin < sampleBins; bin++) {
      const range = histograms.range[feature]
      const members = activeTokens(feature)
        .filter(([, activation]) => Math.max(0, Math.ceil((activation / range) * sampleBins) - 1) === bin)
        .map(([token]) => token)
        .sort((a, b) => priorityOf(samples.key, feature, a) - priorityOf(samples.key, feature, b))
        .slice(0, samples.capacity)
      const place = feature * sampleBins + bin
      const slots = samples.order.subarray(
        place * samples.capacity,
        place * samples.capacity + samples.count[place],
      )
      const held = Array.from(slots, (slot) => samples.slots.token[slot])
      assert.deepEqual(held.sort(), members.sort())
    }
})

function drawn(collector: FeatureCollector, feature: number) {
  const options = {
    max: collector.max[feature],
    intervals: 6,
    perInterval: 3,
    taken: topExamplesOf(collector.top, feature),
  }
  return drawIntervalExamples(collector.samples, split, collector.histograms, feature, options)
}

test('drawn examples lie in their interval, repeat no context, and are at most as many as asked for', () => {
  const collector = collected(4)
  for (let feature = 1; feature < features; feature++) {
    const examples = drawn(collector, feature)
    assert.ok(examples.length > 3)
    const perInterval = new Map<number, number>()
    const contexts = topExamplesOf(collector.top, feature).map(({ token }) => contextKey(token))
    for (const { interval, example } of examples) {
      const width = collector.max[feature] / 6
      assert.ok(example.activation > interval * width * (1 - 1e-6))
      assert.ok(example.activation <= (interval + 1) * width * (1 + 1e-6))
      perInterval.set(interval, (perInterval.get(interval) ?? 0) + 1)
      contexts.push(contextKey(example.token))
    }
    assert.equal(new Set(contexts).size, contexts.length)
    assert.ok(Math.max(...perInterval.values()) <= 3)
  }
  assert.deepEqual(drawn(collector, 0), [])
})

test('the drawn examples do not depend on batch size or order, but on the seed', () => {
  const tokensOf = (collector: FeatureCollector) => drawn(collector, 2).map(({ example }) => example.token)
  const expected = tokensOf(collected(1))
  assert.deepEqual(tokensOf(collected(50)), expected)
  const other = newCollector(split, 8)
  collect(other, encodedBatch(split, dense, windows))
  assert.notDeepEqual(tokensOf(other), expected)
})

test('activationOf finds a feature in a row of codes and gives 0 for one that is not there', () => {
  const codes = {
    rowOffsets: Int32Array.of(0, 3, 3),
    featureIds: Int32Array.of(1, 4, 9),
    values: Float32Array.of(1, 2, 3),
  }
  assert.deepEqual(
    [0, 1, 4, 5, 9, 10].map((feature) => activationOf(codes, 0, feature)),
    [0, 1, 2, 0, 3, 0],
  )
  assert.equal(activationOf(codes, 1, 1), 0)
})
