import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'

const kernels = createReferenceKernels()
const rows = kernels.tensor(Float32Array.of(1, 2, 3, 6, 0, 0, 0, 0, 3, -4, 0, 0), [3, 4])
const [offsets, scales] = [kernels.zeros([3]), kernels.zeros([3])]

async function normalized(norm: 'layer_norm' | 'constant_norm_rescale') {
  const out = kernels.zeros([3, 4])
  kernels.saeNormalize(out, offsets, scales, rows, norm)
  const [values, offset, scale] = await Promise.all([out, offsets, scales].map((t) => kernels.readF32(t)))
  return { out, values, offset, scale }
}

function assertNear(actual: Float32Array, expected: readonly number[]): void {
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(actual[i] - value) < 1e-6, `[${i}] is ${actual[i]}, expected ${value}`)
}

test('layer_norm takes the mean off and divides by the standard deviation of D - 1, plus 1e-5', async () => {
  const { values, offset, scale } = await normalized('layer_norm')
  const deviation = Math.sqrt(14 / 3)
  assertNear(offset, [3, 0, -0.25])
  assertNear(scale.subarray(0, 2), [deviation, 0])
  assertNear(values.subarray(0, 8), [...[-2, -1, 0, 3].map((x) => x / (deviation + 1e-5)), 0, 0, 0, 0])
})

test('constant_norm_rescale brings every token to norm sqrt(D), and zeros stay zeros', async () => {
  const { values, offset, scale } = await normalized('constant_norm_rescale')
  assertNear(offset, [0, 0, 0])
  assertNear(scale, [Math.sqrt(50) / 2, 0, 2.5])
  assertNear(values.subarray(4), [0, 0, 0, 0, 1.2, -1.6, 0, 0])
})

test('what was normalised comes back', async () => {
  const { out } = await normalized('constant_norm_rescale')
  kernels.saeDenormalizeInPlace(out, offsets, scales)
  assertNear(await kernels.readF32(out), [...(await kernels.readF32(rows))])
  const losses = kernels.zeros([3])
  kernels.saeSquaredErrors(losses, rows, kernels.zeros([3, 4]))
  assertNear(await kernels.readF32(losses), [50, 0, 25])
})
