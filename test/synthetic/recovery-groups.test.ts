import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recoveryGroups } from '../../src/synthetic/recovery-groups.js'

test('latents are grouped by the place of their nearest feature in the hierarchy', () => {
  // 0 is a root, 1 its child, 2 and 3 children of 1; 4 is in no tree
  const world = { parents: Int32Array.of(-1, 0, 1, 1, -1), children: [[1], [2, 3], [], [], []] }
  const match = {
    nearest: Int32Array.of(0, 2, 3, 2),
    nearestCosine: Float32Array.of(0.5, 1, 0.5, 0),
    matched: Int32Array.of(0, 2, 3, 1),
    mcc: 0,
    uniqueness: 0,
  }
  const detection = {
    precision: Float64Array.of(0.25, 1, 0.5, 0),
    recall: Float64Array.of(1, 0.5, 0.25, 0),
    f1: Float64Array.of(0.4, 0.75, 0.75, 0),
    fired: Float64Array.of(1, 1, 1, 0),
  }
  const groups = recoveryGroups({ match, detection }, world)
  assert.deepEqual(
    groups.map(({ kind, latents, features }) => [kind, latents, features]),
    [
      ['root with children', 1, 1],
      ['child with children', 0, 0],
      ['child without', 3, 2],
      ['in no tree', 0, 0],
    ],
  )
  assert.deepEqual(groups[0], {
    kind: 'root with children',
    latents: 1,
    features: 1,
    f1: 0.4,
    precision: 0.25,
    recall: 1,
    cosine: 0.5,
  })
  const { f1, precision, recall, cosine } = groups[2]
  assert.deepEqual([f1, precision, recall, cosine], [0.5, 0.5, 0.25, 0.5])
  assert.equal(groups[3].f1, null)
})
