import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureGeometry } from '../../../src/synthetic/toy/geometry.js'

/** Unit vectors in the plane at these shares of a turn. */
const atTurns = (turns: readonly number[]) => ({
  features: turns.length,
  dimensions: 2,
  w: Float32Array.from(turns.flatMap((t) => [Math.cos(2 * Math.PI * t), Math.sin(2 * Math.PI * t)])),
})

function assertAll(values: ArrayLike<number>, expected: number): void {
  for (const value of Array.from(values))
    assert.ok(Math.abs(value - expected) < 1e-6, `${value}, not ${expected}`)
}

test('orthogonal features have a dimension each', () => {
  const geometry = measureGeometry(atTurns([0, 0.25]))
  assertAll(geometry.dimensionalities, 1)
  assert.ok(Math.abs((geometry.dimensionsPerFeature ?? 0) - 1) < 1e-6)
})

test('antipodal pairs have half a dimension each, pentagons two fifths, triangles two thirds', () => {
  assertAll(measureGeometry(atTurns([0, 0.5, 0.25, 0.75])).dimensionalities, 1 / 2)
  assertAll(measureGeometry(atTurns([0, 0.2, 0.4, 0.6, 0.8])).dimensionalities, 2 / 5)
  assertAll(measureGeometry(atTurns([0, 1 / 3, 2 / 3])).dimensionalities, 2 / 3)
})

test('dimensionality weighs overlaps with the other features by their own norms', () => {
  // W_1 = (2, 0), W_2 = (1, 1): D_1 = 4 / (4 + 1), D_2 = 2 / (2 + 2)
  const geometry = measureGeometry({ features: 2, dimensions: 2, w: Float32Array.of(2, 0, 1, 1) })
  assert.ok(Math.abs(geometry.dimensionalities[0] - 0.8) < 1e-12)
  assert.ok(Math.abs(geometry.dimensionalities[1] - 0.5) < 1e-12)
  assert.deepEqual([...geometry.gram], [4, 2, 2, 2])
  assert.deepEqual([...geometry.norms], [2, Math.sqrt(2)])
  assert.ok(Math.abs((geometry.dimensionsPerFeature ?? 0) - 2 / 6) < 1e-12)
})

test('features that are left out have no dimension and are not counted as represented', () => {
  const geometry = measureGeometry({ features: 3, dimensions: 1, w: Float32Array.of(1, 0, 0.5) })
  assert.equal(geometry.dimensionalities[1], 0)
  assert.equal(geometry.represented, 1)
  const none = measureGeometry({ features: 2, dimensions: 1, w: new Float32Array(2) })
  assert.equal(none.dimensionsPerFeature, null)
  assert.deepEqual([...none.dimensionalities], [0, 0])
})
