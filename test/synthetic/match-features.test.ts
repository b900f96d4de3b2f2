import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'
import { matchFeatures } from '../../src/synthetic/match-features.js'

const kernels = createReferenceKernels()
const close = (a: number, b: number, message?: string) =>
  assert.ok(Math.abs(a - b) < 1e-6, message ?? `${a} is not ${b}`)

test('latents in a plane: nearest features, the matching and its mean cosine by hand', async () => {
  // true features: x and y axis; latents at 30 degrees and at -20 degrees, both nearest to x
  const degrees = (angle: number) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]
  const directions = kernels.tensor(Float32Array.of(1, 0, 0, 2), [2, 2])
  const decoder = kernels.tensor(
    Float32Array.from([...degrees(30).map((v) => 7 * v), ...degrees(-20)]),
    [2, 2],
  )
  const match = await matchFeatures(kernels, decoder, directions)
  assert.deepEqual([...match.nearest], [0, 0])
  close(match.nearestCosine[0], Math.cos(Math.PI / 6))
  assert.equal(match.uniqueness, 0.5)
  // one of the two must take y: sin 30 + cos 20 is more than cos 30 + sin 20
  assert.deepEqual([...match.matched], [1, 0])
  close(match.mcc, (0.5 + Math.cos(Math.PI / 9)) / 2)
})

test('a dictionary that is the truth in another order, sign and length has an MCC of 1', async () => {
  const [features, d] = [12, 8]
  const random = Random.named(1, 'truth')
  const truth = new Float32Array(features * d)
  for (let i = 0; i < features; i++) {
    const row = Float64Array.from({ length: d }, () => random.normal())
    truth.set(
      row.map((v) => v / Math.hypot(...row)),
      i * d,
    )
  }
  const order = [...Array(features).keys()].reverse()
  const decoder = Float32Array.from({ length: truth.length }, (_, i) => {
    const row = order[Math.floor(i / d)]
    return (row % 2 ? -1 : 1) * (0.5 + row) * truth[row * d + (i % d)]
  })
  const match = await matchFeatures(
    kernels,
    kernels.tensor(decoder, [features, d]),
    kernels.tensor(truth, [features, d]),
  )
  close(match.mcc, 1)
  assert.deepEqual([...match.matched], order)
  assert.deepEqual([...match.nearest], order)
  assert.equal(match.uniqueness, 1)
})

test('more latents than features: MCC is over as many pairs as there are features', async () => {
  const directions = kernels.tensor(Float32Array.of(1, 0), [1, 2])
  const decoder = kernels.tensor(Float32Array.of(0, 1, 3, 4, 0, 0), [3, 2])
  const match = await matchFeatures(kernels, decoder, directions)
  assert.deepEqual([...match.matched], [-1, 0, -1])
  close(match.mcc, 0.6)
  close(match.uniqueness, 1 / 3)
  assert.equal(match.nearestCosine[2], 0)
})

test('another width and NaN are refused with what was expected', async () => {
  const directions = kernels.tensor(Float32Array.of(1, 0), [1, 2])
  await assert.rejects(matchFeatures(kernels, kernels.zeros([2, 3]), directions), {
    code: 'shape',
    message: /expected decoder directions of width 2, got 3/,
  })
  await assert.rejects(matchFeatures(kernels, kernels.tensor(Float32Array.of(NaN, 1), [1, 2]), directions), {
    code: 'diverged',
    message: /latent 0/,
  })
})
