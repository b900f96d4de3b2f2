import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tensor } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createFeatureModel } from '../../src/synthetic/feature-model.js'
import { createSyntheticSource } from '../../src/synthetic/synthetic-source.js'
import { sampled, smallWorld } from './sampled.js'

const kernels = await loadKernels({ threads: 2 })

test('batches are the samples of a seed in order, and skipped batches are not missed', async () => {
  const model = await createFeatureModel(kernels, smallWorld)
  const source = createSyntheticSource(kernels, model, { seed: 1 })
  const { x } = await sampled(kernels, smallWorld, 40)
  for (const skip of [0, 2]) {
    let at = skip * 10 * source.d
    for await (const batch of source.batches({ batchSize: 10, skip })) {
      assert.deepEqual(await kernels.readF32(batch as Tensor), x.slice(at, at + 10 * source.d))
      at += 10 * source.d
      if (at >= x.length) break
    }
  }
  assert.equal(await source.locate?.({ batch: 3, row: 4, batchSize: 10 }), 'sample 34 of seed 1')
})
