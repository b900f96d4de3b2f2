import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import { createSaeParts } from '../../src/sae/sae.js'
import { saeConfigSchema } from '../../src/sae/sae-config.js'
import { measureLoss } from '../../src/scaling/measure-loss.js'

const kernels = createReferenceKernels()
/** Two features along the axes; the second passes on half of what it reads. */
const sae = createSaeParts(
  kernels,
  {
    wEnc: Float32Array.from([1, 0, 0, 0.5]),
    bEnc: new Float32Array(2),
    wDec: Float32Array.from([1, 0, 0, 1]),
    bDec: new Float32Array(2),
  },
  { activation: { kind: 'relu' }, subtractDecoderBias: false },
)
const heldOut = { x: kernels.tensor(Float32Array.from([3, 0, 1, 4, 0, -2]), [3, 2]), variance: 4 }
const resolved = (values: Record<string, unknown>) =>
  resolveSaeConfig(saeConfigSchema.parse({ features: 2, trainTokens: 100, batchSize: 10, ...values }), 2)

test('the held-out loss of three tokens, by hand', async () => {
  // errors 0, 2^2 and 2^2; activations 3, 1 + 2 and none
  const l1 = await measureLoss(kernels, sae, heldOut, {
    config: resolved({ architecture: 'relu-norm', l1Coefficient: 5 }),
    scale: 2,
  })
  assert.equal(l1.tokens, 3)
  assert.ok(Math.abs(l1.normalizedMse - 8 / (3 * 4)) < 1e-7)
  // lambda s sum f over s^2 variance
  assert.ok(Math.abs(l1.penalty - (5 * 2 * 6) / (3 * 4 * 4)) < 1e-6)
  assert.ok(Math.abs(l1.loss - (8 / 12 + 60 / 48)) < 1e-6)
  assert.equal(l1.l0, 1)
  const l0 = await measureLoss(kernels, sae, heldOut, {
    config: resolved({ architecture: 'jumprelu', l0Coefficient: 0.5 }),
    scale: 2,
  })
  assert.ok(Math.abs(l0.penalty - (0.5 * 3) / (3 * 4 * 4)) < 1e-7)
  const topk = await measureLoss(kernels, sae, heldOut, {
    config: resolved({ architecture: 'topk', k: 1 }),
    scale: 2,
  })
  assert.equal(topk.loss, topk.normalizedMse)
})

test('activations of another width and losses that are not numbers are refused', async () => {
  const options = { config: resolved({ architecture: 'topk', k: 1 }), scale: 1 }
  const wide = { x: kernels.zeros([2, 3]), variance: 1 }
  await assert.rejects(measureLoss(kernels, sae, wide, options), { code: 'shape', message: /width 2, got 3/ })
  const bad = { ...heldOut, x: kernels.tensor(Float32Array.from([Number.NaN, 0]), [1, 2]) }
  await assert.rejects(measureLoss(kernels, sae, bad, options), { code: 'diverged' })
})
