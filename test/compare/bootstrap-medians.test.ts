import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootstrapMedians, drawCounts, median, quantiles } from '../../src/compare/bootstrap-medians.js'
import { shareInterval } from '../../src/compare/share-interval.js'
import { Random } from '../../src/random/random.js'

test('medians and quantiles lie between neighbours, and leave out what is not known', () => {
  assert.equal(median(Float64Array.of(3, Number.NaN, 1, 10)), 3)
  assert.equal(median(Float64Array.of(4, 1, 3, 2)), 2.5)
  assert.equal(median(Float64Array.of(Number.NaN)), null)
  assert.deepEqual(quantiles(Float64Array.of(0, 10, 20), [0, 0.25, 1]), [0, 5, 20])
  assert.equal(quantiles(new Float64Array(0), [0.5]), null)
})

test('the interval of a median is as wide as theory says, and that of a difference wider', () => {
  const random = new Random(1)
  const normal = (n: number, mean: number) => Float64Array.from({ length: n }, () => mean + random.normal())
  const lists = { a: normal(1000, 2), b: normal(1000, 1) }
  const { medians, differences } = bootstrapMedians(['a', 'b'], lists, () => lists, 1000, random)
  // the standard error of a median of n normal numbers is sqrt(pi / 2n)
  const width = 2 * 1.96 * Math.sqrt(Math.PI / 2000)
  const [low, high] = medians.a as [number, number]
  assert.ok(low < 2.1 && high > 1.9 && Math.abs(high - low - width) < 0.35 * width, `${low} ${high}`)
  const [from, to] = differences.b as [number, number]
  assert.ok(
    from > 0.7 && to < 1.3 && Math.abs(to - from - Math.SQRT2 * width) < 0.35 * width,
    `${from} ${to}`,
  )
  assert.equal(differences.a, undefined)
})

test('values that are drawn anew widen the interval; a list without numbers has none', () => {
  const random = new Random(2)
  const list = Float64Array.from({ length: 200 }, (_, i) => i / 200)
  const moved = (draw: Random) => {
    const shift = draw.normal()
    return { a: list.map((x) => x + shift), b: Float64Array.of(Number.NaN) }
  }
  const values = { a: list, b: new Float64Array(0) }
  const { medians } = bootstrapMedians(['a', 'b'], values, moved, 500, random)
  const [low, high] = medians.a as [number, number]
  assert.ok(high - low > 3 && high - low < 5)
  assert.ok(Math.abs((high + low) / 2 - (median(list) as number)) < 1e-12)
  assert.equal(medians.b, null)
})

test('n draws of n things are n in all, 1 of each on average', () => {
  const random = new Random(3)
  const total = new Float64Array(5)
  for (let i = 0; i < 2000; i++) {
    const counts = drawCounts(5, random)
    assert.equal(
      counts.reduce((a, b) => a + b),
      5,
    )
    counts.forEach((count, j) => {
      total[j] += count / 2000
    })
  }
  for (const mean of total) assert.ok(Math.abs(mean - 1) < 0.1)
})

test("a share's interval is Wilson's, by hand", () => {
  // 50 of 100: centre 1/2, half z / (1 + z^2/100) * sqrt(0.0025 + z^2 / 40000), z = 1.96
  const [low, high] = shareInterval(50, 100)
  assert.ok(Math.abs(low - 0.4038) < 1e-4 && Math.abs(high - 0.5962) < 1e-4)
  assert.equal(shareInterval(0, 10)[0], 0)
  assert.ok(Math.abs(shareInterval(0, 10)[1] - 0.2775) < 1e-4)
})
