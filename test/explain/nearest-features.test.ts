import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestFeatures } from '../../src/explain/nearest-features.js'
import { loadKernels } from '../../src/kernels/load.js'
import { saeOf } from '../eval/tiny-sae.js'

const kernels = await loadKernels({ threads: 1 })
/** Four features in the plane: 0 and 2 point almost the same way, 1 stands upright, 3 is opposite to 0 and long. */
const wDec = Float32Array.of(1, 0, 0, 5, 9, 1, -20, 0)
const sae = saeOf(
  kernels,
  { wEnc: new Float32Array(8), bEnc: new Float32Array(4), wDec, bDec: new Float32Array(2) },
  2,
  'blocks.0.mlp.hook_post',
)

test('the nearest features are those of the largest cosine, whatever their length, and never the feature itself', async () => {
  const nearest = await nearestFeatures(sae, [0, 1], 3)
  assert.deepEqual([...nearest.keys()], [0, 1])
  assert.deepEqual(nearest.get(0), [2, 1, 3])
  // 1 has cosine 0 with 0 and 3, which come in the order of their numbers.
  assert.deepEqual(nearest.get(1), [2, 0, 3])
})

test('no more are given than asked for', async () => {
  assert.deepEqual((await nearestFeatures(sae, [3], 1)).get(3), [1])
})
