import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLiveSource } from '../../src/activations/live-source.js'
import type { Session } from '../../src/cli/session.js'
import { readSizes, trainSizes } from '../../src/cli/train-sizes.js'
import { openModelAndCorpus } from '../../src/model/model-corpus.js'
import { type ResolvedSaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'
import { runSaeStage } from '../../src/sae/sae-stage.js'
import { openStage } from '../../src/storage/open-stage.js'
import { context, hookName, kernels, smallRun } from '../small-run.js'

const session = { context, kernels: async () => kernels } as unknown as Session

test('sizes are read ascending, each once; anything else is refused', () => {
  assert.deepEqual(readSizes('512, 64,512'), [64, 512])
  for (const text of ['', '12,', 'many', '0,4', '-3', '1.5'])
    assert.throws(() => readSizes(text), { code: 'config', message: /--sizes/ })
})

test('missing sizes are trained with the options of the run’s own autoencoder, on its stream, from seeds of their own', async (t) => {
  const { root, inputs } = await smallRun(t, { collect: false })
  const { model, corpus } = await openModelAndCorpus(kernels, inputs)
  const config = saeConfigSchema.parse({
    ...{ architecture: 'matryoshka', hookName, features: 16, prefixes: [4, 16], k: 3, trainTokens: 1024 },
    ...{ batchSize: 64, initTokens: 256, bufferTokens: 512, modelBatch: 4, measureTokens: 128, seed: 5 },
  })
  const source = createLiveSource(kernels, model, corpus, {
    ...{ hookName, seed: 5, bufferTokens: 512, dtype: 'f32' as const, modelBatch: 4 },
  })
  const run = join(root, 'run')
  const { corpus: corpusPath, model: modelPath } = inputs
  const own = { source, out: join(run, 'sae'), inputs: { corpus: corpusPath, model: modelPath } }
  await runSaeStage(config, own, context)
  // The run's own corpus and model.
  await symlink(corpusPath, join(run, 'corpus'))
  await symlink(modelPath, join(run, 'model'))

  const directories = await trainSizes(session, run, [8, 16, 32])
  assert.deepEqual(directories, [join(run, 'sizes', '8'), join(run, 'sae'), join(run, 'sizes', '32')])
  const configs = await Promise.all(
    directories.map(async (directory) => (await openStage<ResolvedSaeConfig>(directory, 'sae')).config),
  )
  assert.deepEqual(
    configs.map(({ features, prefixes, seed, streamSeed, k, trainTokens }) => ({
      ...{ features, prefixes, seed, streamSeed, k, trainTokens },
    })),
    [
      { features: 8, prefixes: [2, 8], seed: 13, streamSeed: 5, k: 3, trainTokens: 1024 },
      { features: 16, prefixes: [4, 16], seed: 5, streamSeed: 5, k: 3, trainTokens: 1024 },
      { features: 32, prefixes: [8, 32], seed: 37, streamSeed: 5, k: 3, trainTokens: 1024 },
    ],
  )
  // Another budget cannot use the run's own, and is another configuration of those that are there.
  await assert.rejects(trainSizes(session, run, [8, 16], '512'), { code: 'config', message: /trainTokens/ })
})

test('a run without an autoencoder of its own training says so', async (t) => {
  const { root } = await smallRun(t, { collect: false })
  await assert.rejects(trainSizes(session, root, [8]), {
    code: 'config',
    message: /expected an autoencoder that was trained/,
  })
  await assert.rejects(trainSizes(session, join(root, 'none'), [8]), { code: 'missing' })
})
