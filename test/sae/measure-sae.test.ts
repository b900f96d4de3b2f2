import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createSaeMeter } from '../../src/sae/measure-sae.js'
import { saeOf, silentArrays } from '../eval/tiny-sae.js'

const kernels = createReferenceKernels()

/** What a meter finds with an autoencoder that reconstructs everything as `bDec`. */
async function measured(bDec: number[], ...batches: number[][]) {
  const d = bDec.length
  const meter = createSaeMeter(kernels, saeOf(kernels, silentArrays(3, Float32Array.from(bDec)), d, 'hook'))
  for (const values of batches) {
    const x = kernels.tensor(Float32Array.from(values), [values.length / d, d])
    await meter.add({ x, y: x, index: 0 })
  }
  return meter.result()
}

test('explained variance is that of all batches together, also far from zero', async () => {
  const far = 1e6
  // about the means far and 4: (4 + 0 + 4 + 0) + (1 + 1 + 1 + 1) = 12; about the reconstruction: (9 + 1 + 1 + 1) + (1 + 1 + 1 + 1) = 16
  const batches = [
    [far - 2, 5, far, 3],
    [far + 2, 5, far, 3],
  ]
  const { tokens, l0, explainedVariance } = await measured([far + 1, 4], ...batches)
  assert.deepEqual([tokens, l0], [4, 0])
  assert.ok(Math.abs(explainedVariance - (1 - 16 / 12)) < 1e-9, String(explainedVariance))
})

test('rows with NaN or infinity are left out, and where nothing varies nothing is explained', async () => {
  const clean = await measured([1, 1], [1, 2, 3, 4])
  assert.deepEqual(await measured([1, 1], [1, Number.NaN], [1, 2, Number.POSITIVE_INFINITY, 0, 3, 4]), clean)
  assert.ok(Number.isNaN((await measured([1, 1], [0.1, 0.1, 0.1, 0.1, 0.1, 0.1])).explainedVariance))
})
