import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kernels } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import { createSaeParts, type SaeParts } from '../../src/sae/sae.js'
import { type LabelledSamples, measureRecovery } from '../../src/synthetic/recovery.js'
import { codesOf } from './codes.js'

const context = { progress: silentProgress }

/** Samples given by hand: activations [N, D] and the true features active on each. */
function samplesByHand(
  kernels: Kernels,
  directions: number[][],
  x: number[][],
  truth: number[][],
): LabelledSamples {
  const d = directions[0].length
  return {
    directions: kernels.tensor(Float32Array.from(directions.flat()), [directions.length, d]),
    async sample(into, offset) {
      const end = offset + into.shape[0]
      kernels.write(into, Float32Array.from(x.slice(offset, end).flat()))
      return codesOf(truth.slice(offset, end))
    },
  }
}

/** f = ReLU(W x), x_hat = W^T f, with W given by rows. */
function tiedSae(kernels: Kernels, rows: number[][]): SaeParts {
  const [features, d] = [rows.length, rows[0].length]
  const w = Float32Array.from(rows.flat())
  return createSaeParts(
    kernels,
    { wEnc: w, wDec: Float32Array.from(w), bEnc: new Float32Array(features), bDec: new Float32Array(d) },
    { activation: { kind: 'relu' }, subtractDecoderBias: false },
  )
}

test('every figure on four samples in a plane is the one computed by hand', async () => {
  const kernels = createReferenceKernels()
  // true features x and y; the autoencoder has x, minus x and nothing for y
  const truth = samplesByHand(
    kernels,
    [
      [1, 0],
      [0, 1],
    ],
    [
      [3, 4],
      [2, 0],
      [-1, 0],
      [0, 0],
    ],
    [[0, 1], [0], [], []],
  )
  const sae = tiedSae(kernels, [
    [1, 0],
    [-1, 0],
    [0, 0],
  ])
  for (const batchSize of [1, 3, 4]) {
    const found = await measureRecovery(sae, truth, { samples: 4, batchSize }, context)
    // latent 0 is active on samples 0 and 1, as is x; latent 1 on sample 2, where x is not; latent 2 never
    assert.equal(found.precision, 1 / 3)
    assert.equal(found.recall, 1 / 3)
    assert.equal(found.f1, 1 / 3)
    assert.equal(found.l0, 3 / 4)
    assert.equal(found.trueL0, 3 / 4)
    assert.equal(found.deadFraction, 1 / 3)
    // one of the first two latents goes with x (cosine 1), another one with y (cosine 0)
    assert.equal(found.mcc, 0.5)
    assert.equal(found.uniqueness, 1 / 3)
    // x_hat = (3, 0), (2, 0), (-1, 0), (0, 0): the last has no ratio
    assert.ok(Math.abs(found.shrinkage! - (3 / 5 + 1 + 1) / 3) < 1e-6)
    // error 16; mean (1, 1); sum of squares 9 + 16 + 4 + 1 = 30, about the mean 30 - 4 * 2 = 22
    assert.ok(Math.abs(found.explainedVariance! - (1 - 16 / 22)) < 1e-6)
  }
})

test('explained variance stays right when the mean is large', async () => {
  const kernels = createReferenceKernels()
  const x = [
    [4096, 1],
    [4096, -1],
    [4098, 1],
    [4098, -1],
  ]
  const truth = samplesByHand(kernels, [[1, 0]], x, [[0], [0], [0], [0]])
  // x_hat = (x_0, 0): the error is 1 in each of 4 samples, the variance 2 in each
  const found = await measureRecovery(tiedSae(kernels, [[1, 0]]), truth, { samples: 4 }, context)
  assert.ok(Math.abs(found.explainedVariance! - 0.5) < 1e-9)
})

test('samples that do not vary have no explained variance, samples of zeros no shrinkage', async () => {
  const kernels = createReferenceKernels()
  const truth = samplesByHand(
    kernels,
    [[1, 0]],
    [
      [0, 0],
      [0, 0],
    ],
    [[], []],
  )
  const found = await measureRecovery(tiedSae(kernels, [[1, 0]]), truth, { samples: 2 }, context)
  assert.equal(found.explainedVariance, null)
  assert.equal(found.shrinkage, null)
  assert.equal(found.deadFraction, 1)
})

test('it stops when the signal is aborted', async () => {
  const kernels = createReferenceKernels()
  const truth = samplesByHand(kernels, [[1, 0]], [[1, 0]], [[0]])
  const signal = AbortSignal.abort()
  await assert.rejects(
    measureRecovery(tiedSae(kernels, [[1, 0]]), truth, { samples: 1 }, { ...context, signal }),
    { code: 'interrupted' },
  )
})
