import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/random/random.js'
import { bootstrapFits, intervalOf } from '../../src/scaling/bootstrap.js'
import { fitLogLine, fitPowerLaw, logLineAt, powerLawAt } from '../../src/scaling/power-law.js'

const places = (n: number, from = 1e12, to = 1e16): number[] =>
  Array.from({ length: n }, (_, i) => from * (to / from) ** (i / (n - 1)))

const close = (found: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(found - expected) <= tolerance * Math.abs(expected), `${found}, expected ${expected}`)

test('a power law without noise is recovered, with and without an irreducible term', () => {
  for (const [irreducible, exponent] of [
    [0.1, 0.3],
    [0, 0.2],
    [0.02, 0.08],
    [3, 1.5],
  ]) {
    const law = fitPowerLaw(places(6).map((x) => ({ x, y: irreducible + 2 * (x / 1e12) ** -exponent })))
    close(law.exponent, exponent, 1e-3)
    assert.ok(
      Math.abs(law.irreducible - irreducible) < 1e-3,
      `irreducible ${law.irreducible}, expected ${irreducible}`,
    )
    assert.ok(law.relativeError < 1e-5)
    close(powerLawAt(law, 1e18), irreducible + 2 * 1e6 ** -exponent, 2e-2)
  }
})

test('the fit is the smallest sum of squares: no law near it is better', () => {
  const random = new Random(3)
  const points = places(7).map((x) => ({
    x,
    y: (0.2 + (x / 1e12) ** -0.25) * Math.exp(0.02 * random.normal()),
  }))
  const squares = (law: ReturnType<typeof fitPowerLaw>): number =>
    points.reduce((sum, { x, y }) => sum + ((y - powerLawAt(law, x)) / y) ** 2, 0)
  const best = fitPowerLaw(points)
  for (const name of ['irreducible', 'coefficient', 'exponent'] as const)
    for (const factor of [0.999, 1.001])
      assert.ok(squares({ ...best, [name]: best[name] * factor }) >= squares(best), `${name} x ${factor}`)
})

test('a loss that does not fall has nothing to gain', () => {
  const law = fitPowerLaw(places(5).map((x, i) => ({ x, y: 1 + 0.01 * i })))
  assert.equal(law.coefficient, 0)
  close(law.irreducible, 1.02, 1e-2)
})

test('a line in logarithms is recovered', () => {
  const line = fitLogLine(places(4).map((x) => ({ x, y: 3 * x ** 0.55 })))
  close(line.exponent, 0.55, 1e-9)
  close(logLineAt(line, 1e20), 3 * 1e20 ** 0.55, 1e-9)
})

test('bootstrap intervals hold the true exponent about as often as they promise, also with few points', () => {
  const random = new Random(11)
  let held = 0
  const trials = 60
  for (let trial = 0; trial < trials; trial++) {
    const points = places(4).map((x) => ({ x, y: (x / 1e12) ** 0.5 * Math.exp(0.1 * random.normal()) }))
    const line = fitLogLine(points)
    const at = (x: number) => logLineAt(line, x)
    const fits = bootstrapFits(points, { at, fit: fitLogLine, parameters: 2 }, random)
    const [low, high] = intervalOf(fits.map(({ exponent }) => exponent))
    if (low <= 0.5 && 0.5 <= high) held++
  }
  // 95% promised; with 60 trials fewer than 50 would come by chance once in 1,000
  assert.ok(held >= 50, `${held} of ${trials}`)
})

test('the interval is the middle 95%', () => {
  assert.deepEqual(intervalOf(Array.from({ length: 1001 }, (_, i) => 1000 - i)), [25, 975])
})
