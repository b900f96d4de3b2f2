import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { loadSae, reconstruct } from '../../src/sae/sae.js'
import { type SaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'
import { runSaeStage } from '../../src/sae/sae-stage.js'
import { meanMaxCosine, syntheticPairs, syntheticSource } from './synthetic-source.js'

const kernels = createReferenceKernels()
let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-transcoder-'))
})
after(() => rm(directory, { recursive: true }))

const quick = (values: Partial<SaeConfig> = {}): SaeConfig =>
  saeConfigSchema.parse({
    targetHookName: 'blocks.0.hook_mlp_out',
    features: 16,
    trainTokens: 64 * 400,
    batchSize: 64,
    initTokens: 128,
    measureTokens: 512,
    resampleTokens: 128,
    deadAfterTokens: 1000,
    learningRate: 1e-2,
    k: 3,
    auxK: 4,
    l1Coefficient: 0.5,
    ...values,
  })
const pairs = (linear = 0) =>
  syntheticPairs(kernels, { d: 8, dOut: 6, features: 12, density: 0.08, seed: 3, linear })

const run = async (name: string, config: SaeConfig, source: ActivationSource) => {
  const out = join(directory, name)
  await runSaeStage(config, { source, out, inputs: {} }, { progress: silentProgress, kernels })
  return {
    sae: await loadSae(kernels, out),
    metrics: JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')),
  }
}

/** 1 - ||y - y_hat||^2 / ||y - mean y||^2 on raw activations of a batch that training did not see. */
async function explained(
  sae: Awaited<ReturnType<typeof loadSae>>,
  source: ActivationSource,
): Promise<number> {
  for await (const pair of source.batches({ batchSize: 500, skip: 1000 })) {
    assert.ok('x' in pair)
    const yHat = kernels.zeros(pair.y.shape)
    const losses = kernels.zeros([500])
    reconstruct(sae, yHat, losses, pair.x, pair.y)
    const y = await kernels.readF32(pair.y)
    const means = Array.from(
      { length: 6 },
      (_, c) => y.reduce((sum, v, i) => (i % 6 === c ? sum + v : sum), 0) / 500,
    )
    const variance = y.reduce((sum, v, i) => sum + (v - means[i % 6]) ** 2, 0)
    return 1 - (await kernels.readF32(losses)).reduce((a, b) => a + b, 0) / variance
  }
  return 0
}

for (const architecture of ['relu', 'topk'] as const)
  test(`a ${architecture} transcoder finds both dictionaries, and keeps its quality when both scales are folded`, async () => {
    const source = pairs()
    const { sae, metrics } = await run(architecture, quick({ architecture }), source)
    assert.deepEqual([sae.d, sae.dOut, sae.targetHookName], [8, 6, 'blocks.0.hook_mlp_out'])
    assert.equal(sae.config.architecture, architecture === 'relu' ? 'transcoder' : 'topk_transcoder')
    assert.ok(metrics.activationScale > 2 * metrics.targetScale, 'the targets are ten times as large')
    assert.ok(metrics.explainedVariance > 0.7, `explained variance ${metrics.explainedVariance}`)
    const raw = await explained(sae, source)
    assert.ok(Math.abs(raw - metrics.explainedVariance) < 0.05, `${raw} on raw activations`)
    const cosine = meanMaxCosine(source.targets, await kernels.readF32(sae.params.wDec), 6)
    assert.ok(cosine > 0.85, `mean max cosine ${cosine}`)
  })

test('a skip connection takes over what is linear', async () => {
  const source = pairs(20)
  const without = await run('no-skip', quick({ architecture: 'topk' }), source)
  const { sae, metrics } = await run('skip', quick({ architecture: 'topk', skip: true }), source)
  assert.equal(sae.config.architecture, 'topk_skip_transcoder')
  assert.ok(metrics.explainedVariance > without.metrics.explainedVariance, JSON.stringify(metrics))
  assert.ok(Math.abs((await explained(sae, source)) - metrics.explainedVariance) < 0.05)
  const wSkip = await kernels.readF32(sae.params.wSkip!)
  assert.ok(wSkip.some((value) => Math.abs(value) > 1))
})

test('a transcoder needs a source with targets, and an autoencoder one without', async () => {
  await assert.rejects(
    run('none', quick(), syntheticSource(kernels, { d: 8, features: 12, density: 0.1, seed: 1 })),
    {
      code: 'config',
      message: /expected activations for a transcoder, with targets/,
    },
  )
  await assert.rejects(run('none', quick({ targetHookName: undefined }), pairs()), {
    code: 'config',
    message: /for an autoencoder, without targets/,
  })
})

test('a target that is not a number is named too', async () => {
  const spoil = (y: Float32Array, index: number) => {
    if (index === 4) y[6 * 7] = Number.NaN
  }
  const source = syntheticPairs(kernels, {
    d: 8,
    dOut: 6,
    features: 12,
    density: 0.1,
    seed: 3,
    linear: 0,
    spoil,
  })
  await assert.rejects(run('nan', quick(), source), { code: 'diverged', message: /row 7 of batch 4/ })
})
