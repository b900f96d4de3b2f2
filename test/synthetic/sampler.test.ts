import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { normalCdf } from '../../src/synthetic/normal-cdf.js'
import { dense, firingRates, type Sampled, sampled, smallWorld } from './sampled.js'

const kernels = await loadKernels({ threads: 2 })
/** samples from which rates are estimated; fewer where only the slow reference is there */
const N = kernels.name === 'native' ? 200_000 : 20_000

/** Largest |z| of rates against probabilities. */
function largestZ(rates: Float64Array, expected: Float64Array, features: Iterable<number>): number {
  let largest = 0
  for (const j of features) {
    const p = expected[j]
    largest = Math.max(largest, Math.abs(rates[j] - p) / Math.sqrt((p * (1 - p)) / N))
  }
  return largest
}

test('every feature fires as often as said, children and ties included, when nothing is correlated', async () => {
  const found = await sampled(kernels, { ...smallWorld, correlationScale: 0 }, N)
  const { probabilities, features } = found.model
  assert.ok(largestZ(firingRates(found), probabilities, Array(features).keys()) < 4.5)
})

test('correlations leave the rates of features without a parent alone', async () => {
  const found = await sampled(kernels, smallWorld, N)
  const { parents, probabilities } = found.model
  const roots = [...parents.keys()].filter((j) => parents[j] < 0)
  assert.ok(largestZ(firingRates(found), probabilities, roots) < 4.5)
})

test('where parents are common enough, compensation gives children the rates that were asked for', async () => {
  // one child each and no rivals: the correction is exact
  const options = { ...smallWorld, branching: 1, correlationScale: 0, spreadMean: 0, spreadStd: 0 }
  const found = await sampled(kernels, options, N)
  const { askedProbabilities, features } = found.model
  assert.ok(largestZ(firingRates(found), askedProbabilities, Array(features).keys()) < 4.5)
})

test('a child never fires without its parent, and siblings never together', async () => {
  const found = await sampled(kernels, smallWorld, 5000)
  const { parents, children } = found.model
  for (const row of dense(found)) {
    row.forEach((value, j) => {
      if (value > 0 && parents[j] >= 0) assert.ok(row[parents[j]] > 0, `${j} without ${parents[j]}`)
    })
    for (const siblings of children) assert.ok(siblings.filter((j) => row[j] > 0).length <= 1)
  }
})

test('siblings that do not exclude each other do fire together', async () => {
  const found = await sampled(kernels, { ...smallWorld, exclusiveSiblings: false }, 2000)
  const together = dense(found).some((row) =>
    found.model.children.some((siblings) => siblings.filter((j) => row[j] > 0).length > 1),
  )
  assert.ok(together)
})

test("without spread a child's magnitude is its mean times its parent's share of the parent's mean", async () => {
  const still = { ...smallWorld, spreadMean: 0, spreadStd: 0 }
  const found = await sampled(kernels, still, 500)
  for (const row of dense(found))
    row.forEach((value, j) => {
      if (value > 0) assert.equal(value, Math.fround(found.model.magnitudeMeans[j]))
    })
})

test('the same draws with and without scaling differ by the ratio of the parent to its mean', async () => {
  const scaled = await sampled(kernels, smallWorld, 3000)
  const plain = await sampled(kernels, { ...smallWorld, scaleByParent: false }, 3000)
  assert.deepEqual(scaled.codes.featureIds, plain.codes.featureIds)
  const { parents, magnitudeMeans } = scaled.model
  const own = dense(plain)
  let compared = 0
  dense(scaled).forEach((row, n) => {
    row.forEach((value, j) => {
      if (value === 0) return
      const parent = parents[j]
      const expected = parent < 0 ? own[n][j] : (own[n][j] * row[parent]) / magnitudeMeans[parent]
      assert.ok(Math.abs(value - expected) < 1e-5 * expected, `sample ${n} feature ${j}`)
      compared += parent < 0 ? 0 : 1
    })
  })
  assert.ok(compared > 1000)
})

test('magnitudes have the mean and the standard deviation of their feature', async () => {
  const found = await sampled(kernels, { ...smallWorld, scaleByParent: false }, N)
  const { magnitudeMeans, magnitudeStds, features } = found.model
  const sums = Array.from({ length: features }, () => [0, 0, 0])
  found.codes.featureIds.forEach((j, i) => {
    const value = found.codes.values[i]
    sums[j] = [sums[j][0] + 1, sums[j][1] + value, sums[j][2] + value * value]
  })
  let checked = 0
  sums.forEach(([count, sum, squares], j) => {
    const [mean, std] = [magnitudeMeans[j], magnitudeStds[j]]
    if (count < 500 || mean < 5 * std) return // cut at 0 otherwise
    checked++
    assert.ok(Math.abs(sum / count - mean) < (5 * std) / Math.sqrt(count), `mean of ${j}`)
    const variance = squares / count - (sum / count) ** 2
    assert.ok(Math.abs(variance / std ** 2 - 1) < 6 * Math.sqrt(2 / count) + 1e-3, `variance of ${j}`)
  })
  assert.ok(checked > features / 2)
})

/** Probability that two standard normal variables of correlation r are both above their thresholds, by integrating over the first. */
function bothAbove(a: number, b: number, r: number): number {
  const steps = 4000
  const width = 10 / steps
  let sum = 0
  for (let i = 0; i < steps; i++) {
    const z = a + (i + 0.5) * width
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
    sum += density * (1 - normalCdf((b - r * z) / Math.sqrt(1 - r * r))) * width
  }
  return sum
}

/** Thresholds that half of the samples pass, and those of a quarter. */
const PAIRS_OPTIONS = {
  trueFeatures: 12,
  width: 4,
  roots: 0,
  maxProbability: 0.4,
  minProbability: 0.2,
  correlationRank: 3,
  correlationScale: 0.4,
  spreadMean: 0,
  spreadStd: 0,
}

test('pairs fire together as often as the Gaussian copula says', async () => {
  const found = await sampled(kernels, PAIRS_OPTIONS, N)
  const { loadings, features: g, askedProbabilities } = found.model
  const rank = loadings.length / g
  const thresholds = askedProbabilities.map((p) => quantileByBisection(1 - p))
  const together = pairCounts(found)
  let strongest = 0
  for (let i = 0; i < g; i++)
    for (let j = i + 1; j < g; j++) {
      let correlation = 0
      for (let r = 0; r < rank; r++)
        correlation += (loadings[i * rank + r] * loadings[j * rank + r]) / 2 ** 30
      strongest = Math.max(strongest, Math.abs(correlation))
      const expected = bothAbove(thresholds[i], thresholds[j], correlation)
      const error = Math.abs(together[i][j] / N - expected) / Math.sqrt(expected / N)
      assert.ok(error < 4.5, `${i} and ${j}: ${together[i][j] / N}, expected ${expected}`)
    }
  assert.ok(strongest > 0.2, 'a test of correlations needs some')
})

function quantileByBisection(p: number): number {
  let [low, high] = [-10, 10]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (normalCdf(middle) < p) low = middle
    else high = middle
  }
  return low
}

function pairCounts({ model, codes }: Sampled): number[][] {
  const counts = Array.from({ length: model.features }, () => Array<number>(model.features).fill(0))
  for (let n = 0; n + 1 < codes.rowOffsets.length; n++) {
    const ids = codes.featureIds.subarray(codes.rowOffsets[n], codes.rowOffsets[n + 1])
    for (const i of ids) for (const j of ids) counts[i][j]++
  }
  return counts
}

test('an activation is the bias plus magnitude times direction of the active features', async () => {
  const found = await sampled(kernels, smallWorld, 200)
  const { directions, bias, d } = found.model
  dense(found).forEach((row, n) => {
    for (let c = 0; c < d; c++) {
      const expected = row.reduce((sum, value, j) => sum + value * directions[j * d + c], bias[c])
      assert.ok(Math.abs(found.x[n * d + c] - expected) < 1e-4)
    }
  })
})

test('a sample depends on its seed and its number alone', async () => {
  const all = await sampled(kernels, smallWorld, 100)
  for (const [offset, n] of [
    [0, 1],
    [37, 5],
    [64, 36],
  ]) {
    const part = await sampled(kernels, smallWorld, n, { offset })
    assert.deepEqual(part.x, all.x.slice(offset * 24, (offset + n) * 24))
    const [from, to] = [all.codes.rowOffsets[offset], all.codes.rowOffsets[offset + n]]
    assert.deepEqual(part.codes.featureIds, all.codes.featureIds.slice(from, to))
    assert.deepEqual(part.codes.values, all.codes.values.slice(from, to))
  }
  const other = await sampled(kernels, smallWorld, 100, { seed: 2 })
  assert.notDeepEqual(other.codes.featureIds, all.codes.featureIds)
})

test('seeds and sample numbers beyond 32 bits are distinct', async () => {
  const rows = await Promise.all(
    [
      { seed: 1, offset: 0 },
      { seed: 2 ** 32 + 1, offset: 0 },
      { seed: 1, offset: 2 ** 32 },
    ].map(async (range) => (await sampled(kernels, smallWorld, 20, range)).x.join()),
  )
  assert.equal(new Set(rows).size, 3)
})
