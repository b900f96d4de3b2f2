import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EncodedBatch } from '../../src/eval/encoded-windows.js'
import { coActiveWith, type FeatureSums } from '../../src/features/co-activation.js'
import {
  addJoint,
  createJointStatistics,
  finishJoint,
  freeJoint,
  type JointStatistics,
} from '../../src/features/joint-statistics.js'
import { correlatedNeurons } from '../../src/features/neurons.js'
import { type OwnFeatures, ownFeatures } from '../../src/features/own-features.js'
import { readPairs } from '../../src/features/pair-table.js'
import { featureTokens } from '../../src/features/token-counts.js'
import { pearson } from '../../src/interp/correlation.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'
import { codesFrom } from './codes-from.js'

/** n text positions: their tokens, activations of F features (0: silent) and of D neurons. */
interface Text {
  tokens: number[]
  codes: number[][]
  neurons: number[][]
}

const kernels = createReferenceKernels()
const sizes = { features: 6, vocabulary: 9, d: 3 }

function encoded(text: Text, first: number, end: number): EncodedBatch {
  const part = <T>(list: T[]): T[] => list.slice(first, end)
  const pairs = part(text.codes).map((row) =>
    row.flatMap((value, id): [number, number][] => (value > 0 ? [[id, value]] : [])),
  )
  const tokens = Int32Array.from(part(text.tokens))
  return {
    windows: new Int32Array(0),
    batch: { tokens, targets: tokens, starts: tokens },
    rows: Int32Array.from(tokens, (_, row) => row),
    codes: codesFrom(pairs),
    activations: Float32Array.from(part(text.neurons).flat()),
  }
}

/** Also cuts chunks of `entries`, so that more than one is counted. */
function gathered(text: Text, batch: number, entries?: number): JointStatistics {
  const joint = createJointStatistics(kernels, { ...sizes, entries })
  for (let i = 0; i < text.tokens.length; i += batch) addJoint(joint, encoded(text, i, i + batch))
  finishJoint(joint)
  return joint
}

function totalsOf(text: Text): FeatureSums {
  const over = (value: (activation: number) => number): Float64Array =>
    Float64Array.from({ length: sizes.features }, (_, feature) =>
      text.codes.reduce((sum, row) => sum + value(row[feature]), 0),
    )
  return {
    tokens: text.tokens.length,
    fires: over((activation) => (activation > 0 ? 1 : 0)),
    sum: over((activation) => activation),
    squares: over((activation) => activation ** 2),
  }
}

const column = (matrix: number[][], j: number): number[] => matrix.map((row) => row[j])

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]): number => x.reduce((sum, value, i) => sum + value * y[i], 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

/** Feature 0 never fires; feature 5 fires where feature 4 does; neuron 2 follows feature 1, neuron 0 never changes. */
function randomText(length: number): Text {
  const random = Random.named(5, 'joint')
  const tokens = Array.from({ length }, () => Math.floor(9 * random.uniform() ** 2))
  const codes = tokens.map((token) => {
    const row = [0, 1, 2, 3, 4].map((j) =>
      j > 0 && random.uniform() < (token === j ? 0.9 : 0.2) ? Math.exp(random.normal()) : 0,
    )
    return [...row, row[4] > 0 && random.uniform() < 0.8 ? 0.5 + random.uniform() : 0]
  })
  const neurons = codes.map((row) => [7, random.normal(), row[1] + 0.3 * random.normal()])
  return { tokens, codes, neurons }
}

const text = randomText(400)
const totals = totalsOf(text)
const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(b))

test('lift is how much more often a feature fires on a token than on any, hand-computed', async () => {
  const small: Text = {
    tokens: [5, 6, 5, 5],
    codes: [
      [1, 0, 4, 0, 0, 0],
      [0, 0, 2, 0, 0, 0],
      [0.5, 0, 3, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
    ],
    neurons: Array.from({ length: 4 }, () => [0, 0, 0]),
  }
  const joint = gathered(small, 4)
  const block = await readPairs(joint.tokenCounts.pairs, 0, 6)
  const table = (feature: number, fires: number, limit = 9) =>
    featureTokens(joint.tokenCounts, block, feature, { fires, positions: 4, limit })
  // P(fires | token 5) = 2/3, P(fires) = 2/4
  const first = { token: 5, active: 2, occurrences: 3, activationSum: 1.5, lift: 2 / 3 / (2 / 4) }
  assert.deepEqual(table(0, 2), { tokens: [first], missed: 0, singleToken: true })
  const both = table(2, 3).tokens.map(({ token, active, activationSum }) => [token, active, activationSum])
  assert.deepEqual(both, [
    [5, 2, 7],
    [6, 1, 2],
  ])
  assert.equal(table(2, 3).singleToken, false)
  assert.equal(table(2, 3, 1).tokens.length, 1)
  assert.deepEqual(table(1, 0), { tokens: [], missed: 0, singleToken: false })
})

test('a feature is single-token from 99% of its fires on', async () => {
  for (const [others, expected] of [
    [1, true],
    [2, false],
  ] as const) {
    const length = 100
    const joint = gathered(
      {
        tokens: Array.from({ length }, (_, i) => (i < others ? 1 : 2)),
        codes: Array.from({ length }, () => [1, 0, 0, 0, 0, 0]),
        neurons: Array.from({ length }, () => [0, 0, 0]),
      },
      100,
    )
    const block = await readPairs(joint.tokenCounts.pairs, 0, 1)
    const figures = { fires: 100, positions: 100, limit: 3 }
    assert.equal(featureTokens(joint.tokenCounts, block, 0, figures).singleToken, expected)
  }
})

test('the token table agrees with a count over all tokens, largest sum of activations first', async () => {
  const joint = gathered(text, 7, 50)
  const block = await readPairs(joint.tokenCounts.pairs, 0, sizes.features)
  for (let feature = 0; feature < sizes.features; feature++) {
    const fires = totals.fires[feature]
    const figures = { fires, positions: 400, limit: 4 }
    const found = featureTokens(joint.tokenCounts, block, feature, figures).tokens
    const expected = [...new Set(text.tokens)]
      .map((token) => {
        const on = text.codes.filter((_, i) => text.tokens[i] === token).map((row) => row[feature])
        const active = on.filter((activation) => activation > 0).length
        const activationSum = on.reduce((a, b) => a + b, 0)
        const lift = active / on.length / (fires / 400)
        return { token, active, occurrences: on.length, activationSum, lift }
      })
      .filter(({ active }) => active > 0)
      .sort((a, b) => b.activationSum - a.activationSum)
      .slice(0, 4)
    assert.equal(found.length, expected.length)
    found.forEach(({ activationSum, ...rest }, i) => {
      const { activationSum: sum, ...others } = expected[i]
      assert.deepEqual(rest, others)
      assert.ok(near(activationSum, sum))
    })
  }
})

test('co-activation agrees with counts and correlations over the dense matrix, largest Jaccard index first', async () => {
  const joint = gathered(text, 7, 50)
  const block = await readPairs(joint.coActivation, 0, sizes.features)
  for (let feature = 0; feature < sizes.features; feature++) {
    const mine = column(text.codes, feature)
    const found = coActiveWith(block, totals, feature, 3)
    const expected = [0, 1, 2, 3, 4, 5]
      .filter((other) => other !== feature)
      .map((other) => {
        const theirs = column(text.codes, other)
        const count = mine.filter((value, i) => value > 0 && theirs[i] > 0).length
        const either = mine.filter((value, i) => value > 0 || theirs[i] > 0).length
        return { feature: other, count, jaccard: count / either, theirs }
      })
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.jaccard - a.jaccard || a.feature - b.feature)
      .slice(0, 3)
    assert.equal(found.length, expected.length)
    found.forEach((pair, i) => {
      const { theirs, ...wanted } = expected[i]
      const { pearson: correlation, cosine: angle, ...rest } = pair
      assert.deepEqual(rest, wanted)
      assert.ok(near(correlation, pearson(mine, theirs) as number))
      assert.ok(near(angle, cosine(mine, theirs)))
    })
  }
  assert.deepEqual(coActiveWith(block, totals, 0, 3), [], 'a dead feature fires with none')
  assert.equal(coActiveWith(block, totals, 5, 1)[0].feature, 4)
})

test('correlated neurons agree with Pearson over the dense matrices; constant neurons are left out', async () => {
  const joint = gathered(text, 7, 50)
  const products = await kernels.readF32(joint.neurons.products)
  for (let feature = 0; feature < sizes.features; feature++) {
    const row = products.subarray(feature * 3, feature * 3 + 3)
    const found = correlatedNeurons(joint.neurons, row, totals, feature, 5)
    const mine = column(text.codes, feature)
    const expected = [1, 2]
      .map((neuron) => ({ neuron, theirs: column(text.neurons, neuron) }))
      .map(({ neuron, theirs }) => ({ neuron, theirs, r: pearson(mine, theirs) }))
      .filter(({ r }) => r !== null)
      .sort((a, b) => (b.r as number) - (a.r as number))
    assert.deepEqual(
      found.map(({ neuron }) => neuron),
      expected.map(({ neuron }) => neuron),
    )
    found.forEach((neuron, i) => {
      assert.ok(near(neuron.pearson, expected[i].r as number))
      assert.ok(near(neuron.cosine, cosine(mine, expected[i].theirs)))
    })
  }
})

test('what is gathered has the same bits whatever the batch size', async () => {
  const bits = async (joint: JointStatistics) => {
    const blocks = [joint.tokenCounts.pairs, joint.coActivation].map((table) => readPairs(table, 0, 6))
    const { products, sum, squares } = joint.neurons
    return [...(await Promise.all(blocks)), await kernels.readF32(products), sum, squares]
  }
  assert.deepEqual(await bits(gathered(text, 1, 50)), await bits(gathered(text, 33, 50)))
  const joint = gathered(text, 10)
  freeJoint(joint)
  assert.throws(() => kernels.rows(joint.neurons.products, 0, 1), { code: 'shape' })
})

test('ranks that gather their own features have the rows of one that gathers all, in a table without room for every pair too', async () => {
  const features = 700
  const random = Random.named(3, 'own features')
  const rows = Array.from({ length: 60 }, () =>
    Array.from({ length: features }, (_, id): [number, number] => [id, random.uniform() + 0.1]).filter(
      () => random.uniform() < 0.4,
    ),
  )
  const tokens = Int32Array.from(rows, () => random.int(9))
  const batch: EncodedBatch = {
    windows: new Int32Array(0),
    batch: { tokens, targets: tokens, starts: tokens },
    rows: Int32Array.from(tokens, (_, row) => row),
    codes: codesFrom(rows),
    activations: Float32Array.from({ length: 60 * 3 }, () => random.uniform()),
  }
  for (const pairs of [features * 130, features * features]) {
    const rowsOf = async (own: OwnFeatures, first: number, count: number) => {
      const joint = createJointStatistics(kernels, {
        features,
        own,
        vocabulary: 9,
        d: 3,
        pairs,
        entries: 4000,
      })
      addJoint(joint, batch)
      finishJoint(joint)
      const blocks = [joint.tokenCounts.pairs, joint.coActivation].map((table) =>
        readPairs(table, first - own.first, count),
      )
      const products = await kernels.readF32(kernels.rows(joint.neurons.products, first - own.first, count))
      return [(await Promise.all(blocks)).map((block) => ({ ...block, first })), products]
    }
    const all = ownFeatures({ rank: 0, size: 1 }, features)
    for (const rank of [0, 1]) {
      const own = ownFeatures({ rank, size: 2 }, features)
      assert.deepEqual(await rowsOf(own, own.first, own.count), await rowsOf(all, own.first, own.count))
    }
  }
})
