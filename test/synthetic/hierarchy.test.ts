import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compensatedProbabilities,
  createHierarchy,
  firingProbabilities,
} from '../../src/synthetic/hierarchy.js'

const shape = { trueFeatures: 10, roots: 2, branching: 2, depth: 1 }

const near = (found: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(found.length, expected.length)
  expected.forEach((value, i) => {
    assert.ok(Math.abs(found[i] - value) < 1e-12, `${i}: ${found[i]}, expected ${value}`)
  })
}

test('trees are laid out level by level over the first features', () => {
  const { parents, children } = createHierarchy(shape)
  assert.deepEqual([...parents], [-1, -1, 0, 0, 1, 1, -1, -1, -1, -1])
  assert.deepEqual(children.slice(0, 3), [[2, 3], [4, 5], []])
})

test('128 roots with four children on three levels are 10,880 of 16,384 features', () => {
  const { parents } = createHierarchy({ trueFeatures: 16_384, roots: 128, branching: 4, depth: 3 })
  assert.equal(parents.lastIndexOf(2687), 10_879)
  assert.equal(parents[10_879], 2687)
  assert.equal(parents[10_880], -1)
})

test('a hierarchy larger than the world is refused', () => {
  assert.throws(() => createHierarchy({ ...shape, depth: 2 }), {
    code: 'config',
    message: /at least 14 features/,
  })
  assert.throws(() => createHierarchy({ ...shape, roots: 11, depth: 0 }), { code: 'config' })
})

test('compensation divides by the parent, and counts rivals where siblings exclude each other', () => {
  const hierarchy = createHierarchy({ trueFeatures: 5, roots: 1, branching: 3, depth: 1 })
  const asked = Float64Array.of(0.5, 0.1, 0.2, 0.4, 0.3)
  near(compensatedProbabilities(asked, hierarchy, false), [0.5, 0.2, 0.4, 0.8, 0.3])
  // 0.2 (1 + 0.6 / 0.5), 0.4 (1 + 0.5 / 0.5), 0.8 (1 + 0.3 / 0.5) cut at 1
  near(compensatedProbabilities(asked, hierarchy, true), [0.5, 0.44, 0.8, 1, 0.3])
})

test('firing probabilities share a tie evenly', () => {
  const hierarchy = createHierarchy({ trueFeatures: 4, roots: 1, branching: 2, depth: 1 })
  const drawn = Float64Array.of(0.5, 0.4, 1, 0.3)
  near(firingProbabilities(drawn, hierarchy, false), [0.5, 0.2, 0.5, 0.3])
  // the first wins half of its 0.4; the second wins alone in 0.6 and half of 0.4
  near(firingProbabilities(drawn, hierarchy, true), [0.5, 0.1, 0.4, 0.3])
})

test('without compensation for the time when parents do not fire, grandchildren multiply the odds', () => {
  const hierarchy = createHierarchy({ trueFeatures: 3, roots: 1, branching: 1, depth: 2 })
  near(firingProbabilities(Float64Array.of(0.5, 0.5, 0.5), hierarchy, true), [0.5, 0.25, 0.125])
})
