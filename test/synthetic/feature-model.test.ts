import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createFeatureModel } from '../../src/synthetic/feature-model.js'
import { smallWorld } from './sampled.js'

const kernels = await loadKernels({ threads: 2 })
const native = kernels.name === 'native'

test('probabilities fall from the largest to the smallest as the inverse root of the rank', async () => {
  const { askedProbabilities: p } = await createFeatureModel(kernels, { ...smallWorld, minProbability: 5e-4 })
  assert.equal(p[0], 0.4)
  assert.ok(Math.abs(p[79] - 5e-4) < 1e-15)
  // 5e-4 + 0.3995 (1/2 - 80^-0.5) / (1 - 80^-0.5)
  assert.ok(Math.abs(p[3] - 0.1751060973) < 1e-9)
})

test('magnitudes fall from 5 to 4, and their spread is a folded normal', async () => {
  const options = { trueFeatures: 4000, width: 2, orthogonalizationSteps: 0, roots: 0 }
  const { magnitudeMeans, magnitudeStds } = await createFeatureModel(kernels, options)
  assert.deepEqual([magnitudeMeans[0], magnitudeMeans[3999]], [5, 4])
  assert.ok(Math.abs(magnitudeMeans[1000] - (5 - 1000 / 3999)) < 1e-12)
  assert.ok(magnitudeStds.every((std) => std >= 0))
  // mean of |N(m, s)| for m = s = 1/2: s sqrt(2 / pi) exp(-1/2) + m (1 - 2 Phi(-1)) = 0.5833
  const mean = magnitudeStds.reduce((sum, std) => sum + std, 0) / 4000
  assert.ok(Math.abs(mean - 0.5833) < 0.03, String(mean))
})

test('directions have unit norm, and steps bring down the sum of squared overlaps', async () => {
  const overlap = async (orthogonalizationSteps: number) => {
    const { directions, d, features } = await createFeatureModel(kernels, {
      ...smallWorld,
      orthogonalizationSteps,
    })
    let sum = 0
    for (let i = 0; i < features; i++)
      for (let j = 0; j < features; j++) {
        let dot = 0
        for (let c = 0; c < d; c++) dot += directions[i * d + c] * directions[j * d + c]
        if (i === j) assert.ok(Math.abs(dot - 1) < 2 ** -7.9)
        else sum += dot * dot
      }
    return sum
  }
  const [before, after] = [await overlap(0), await overlap(60)]
  // Welch's bound: no G unit vectors in D dimensions overlap less than G^2 / D - G
  const least = 80 ** 2 / 24 - 80
  assert.ok(after >= least * 0.99)
  assert.ok(after - least < 0.25 * (before - least), `${before} to ${after}, at least ${least}`)
})

test('the bias has the norm asked for, and loadings leave every feature some variance of its own', async () => {
  const { bias, loadings } = await createFeatureModel(kernels, { ...smallWorld, correlationScale: 3 })
  assert.ok(Math.abs(Math.hypot(...bias) - 0.5) < 1e-6)
  for (let j = 0; j < 80; j++) {
    const norm = loadings.subarray(j * 5, j * 5 + 5).reduce((sum, value) => sum + (value / 2 ** 15) ** 2, 0)
    assert.ok(norm < 0.991)
  }
})

test('the same configuration gives the same world, on other kernels too up to rounding', async () => {
  const [first, again, reference] = [
    await createFeatureModel(kernels, smallWorld),
    await createFeatureModel(kernels, smallWorld),
    await createFeatureModel(createReferenceKernels(), smallWorld),
  ]
  assert.deepEqual(first, again)
  assert.deepEqual(first.loadings, reference.loadings)
  first.directions.forEach((value, i) => {
    assert.ok(Math.abs(value - reference.directions[i]) < 5e-3)
  })
  const other = await createFeatureModel(kernels, { ...smallWorld, modelSeed: 1 })
  assert.notDeepEqual(first.directions, other.directions)
})

test('options that contradict one another are refused', async () => {
  await assert.rejects(createFeatureModel(kernels, { ...smallWorld, minProbability: 0.5 }), {
    code: 'config',
  })
  await assert.rejects(createFeatureModel(kernels, { trueFeatures: 0 }), { code: 'config' })
})

test('SynthSAEBench-16k: overlaps of about 0.15 and about 34 active features', {
  skip: !native,
}, async () => {
  const { createSampler } = await import('../../src/synthetic/sampler.js')
  const model = await createFeatureModel(kernels)
  const sampler = createSampler(kernels, model)
  const x = kernels.zeros([4096, model.d])
  const { featureIds } = await sampler.sample(x, { seed: 0, offset: 0 })
  const l0 = featureIds.length / 4096
  assert.ok(Math.abs(l0 - 34.4) < 0.7, `L0 ${l0}`)
  const expected = model.probabilities.reduce((sum, p) => sum + p, 0)
  assert.ok(Math.abs(expected - l0) < 0.7, `L0 ${l0}, expected ${expected}`)
  // the 4096 most frequent features, which an autoencoder of that size should find: about 25 (SAELens's documentation)
  const frequent = featureIds.filter((j) => j < 4096).length / 4096
  assert.ok(Math.abs(frequent - 25.1) < 0.6, `${frequent} of them`)
  const overlaps = kernels.zeros([256, model.features])
  const directions = kernels.tensor(model.directions, [model.features, model.d])
  kernels.linearTransposedForward(overlaps, kernels.rows(directions, 8000, 256), directions)
  const cosines = await kernels.readF32(overlaps)
  let mean = 0
  for (let i = 0; i < 256; i++) {
    const row = cosines.subarray(i * model.features, (i + 1) * model.features)
    row[8000 + i] = 0
    mean += row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 256
  }
  assert.ok(Math.abs(mean - 0.147) < 0.005, `mean of the largest overlaps ${mean}`)
  for (const t of [x, overlaps, directions]) kernels.free(t)
  sampler.free()
})
