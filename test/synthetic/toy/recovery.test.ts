import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { silentProgress } from '../../../src/progress/progress.js'
import { createHiddenSource } from '../../../src/synthetic/toy/hidden-source.js'
import { compare } from '../../../src/synthetic/toy/recovery.js'
import { independentFeatures, sampleFeatures } from '../../../src/synthetic/toy/sample-features.js'
import { toyConfigSchema } from '../../../src/synthetic/toy/toy-config.js'
import { recoverToy, recoveryRequests } from '../../../src/synthetic/toy/toy-recovery.js'

let directory: string
let kernels: Kernels
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-toy-'))
  kernels = await loadKernels({ threads: 1 })
})
after(() => rm(directory, { recursive: true }))

test('at 5x overcompleteness and 1% density, at least 95% of the features are recovered', async () => {
  const config = toyConfigSchema.parse({
    ...{ features: 50, dimensions: 10, density: 0.01, dictionarySize: 4, sweeps: false },
    ...{ toySteps: 600, toyBatch: 512, toyLearningRate: 0.01, trainSamples: 300_000, learningRate: 0.01 },
  })
  const { claim } = recoveryRequests(config)
  const found = await recoverToy(kernels, claim, directory, config, { progress: silentProgress })
  assert.deepEqual([found.features / found.dimensions, found.density, found.represented], [5, 0.01, 50])
  assert.equal(found.recoveries.length, 2)
  for (const recovery of found.recoveries) {
    assert.ok(recovery)
    const { dictionary, recovered, recoveredOfRepresented, trueToLearned } = recovery
    assert.ok(recovered >= 0.95, `${dictionary.architecture}: ${recovered}`)
    assert.equal(recoveredOfRepresented, recovered)
    assert.ok(trueToLearned >= 0.95)
  }
})

test('recovery is counted over all features and over those that are represented, without dead ones', () => {
  const model = {
    features: 3,
    dimensions: 2,
    w: Float32Array.of(1, 0, 0, 1, -0.1, 0),
    b: new Float32Array(3),
  }
  // learned: feature 1 exactly; feature 2 at cosine 0.8; the opposite of feature 1, which is W_3's direction, but dead
  const wDec = Float32Array.of(1, 0, 0.6, 0.8, -1, 0)
  const measured = { tokens: 10, l0: 1, explainedVariance: 0.5, frequencies: Float64Array.of(0.1, 0.1, 0) }
  const arrays = { wEnc: wDec, bEnc: new Float32Array(3), wDec, bDec: new Float32Array(2) }
  const found = compare(model, { architecture: 'topk', features: 3, k: 1 }, { arrays, measured })
  assert.equal(found.alive, 2)
  assert.equal(found.recovered, 1 / 3)
  assert.equal(found.recoveredOfRepresented, 1 / 2)
  assert.ok(Math.abs(found.trueToLearned - (1 + 0.8 - 0.6) / 3) < 1e-6)
  assert.ok(Math.abs((found.learnedToTrue ?? 0) - (1 + 0.8) / 2) < 1e-6)
})

test('hidden activations are W x of the same samples, from any batch on', async () => {
  const model = { features: 3, dimensions: 2, w: Float32Array.of(1, 0, 0, 2, 3, 3), b: new Float32Array(3) }
  const distribution = independentFeatures(3, 0.5)
  const source = createHiddenSource(kernels, model, distribution, 9)
  const x = sampleFeatures(distribution, { stream: 'autoencoder', seed: 9, index: 4, batchSize: 5 })
  for await (const batch of source.batches({ batchSize: 5, skip: 4 })) {
    const h = await kernels.readF32(batch as Parameters<Kernels['readF32']>[0])
    for (let n = 0; n < 5; n++) {
      const [x1, x2, x3] = x.subarray(3 * n)
      assert.ok(Math.abs(h[2 * n] - (x1 + 3 * x3)) < 1e-5)
      assert.ok(Math.abs(h[2 * n + 1] - (2 * x2 + 3 * x3)) < 1e-5)
    }
    break
  }
})

test('requests of the sweeps change one thing at a time', () => {
  const config = toyConfigSchema.parse({ densities: [0.01, 0.1], overcompleteness: [2, 5], ks: [2, 4] })
  const { claim, sweeps } = recoveryRequests(config)
  assert.deepEqual(claim.dictionaries, [
    { architecture: 'relu', features: 200, l1Coefficient: 4 },
    { architecture: 'topk', features: 200, k: 2 },
  ])
  assert.ok(sweeps)
  assert.deepEqual(
    sweeps.models.map(({ dimensions, density }) => [dimensions, density]),
    [
      [50, 0.01],
      [50, 0.1],
      [20, 0.01],
      [20, 0.1],
    ],
  )
  // 10 active of 100 on average, with a standard deviation of 3
  assert.deepEqual(sweeps.models[1].dictionaries[1], { architecture: 'topk', features: 200, k: 13 })
  const names = sweeps.dictionaries.dictionaries.map((dictionary) => JSON.stringify(dictionary))
  assert.equal(new Set(names).size, names.length)
  for (const dictionary of claim.dictionaries) assert.ok(names.includes(JSON.stringify(dictionary)))
})
