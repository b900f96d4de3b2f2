import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createLiveSource } from '../../src/activations/live-source.js'
import { baselineNames, baselinesConfigSchema } from '../../src/baselines/baselines-config.js'
import { readBaselinesReport, runBaselines } from '../../src/baselines/baselines-stage.js'
import { renderBaselines } from '../../src/baselines/render-baselines.js'
import { openModelAndCorpus } from '../../src/model/model-corpus.js'
import { loadSae } from '../../src/sae/sae.js'
import { saeConfigSchema } from '../../src/sae/sae-config.js'
import { runSaeStage } from '../../src/sae/sae-stage.js'
import { openStage } from '../../src/storage/open-stage.js'
import { context, hookName, kernels, smallRun } from '../small-run.js'

const training = {
  ...{ hookName, features: 24, trainTokens: 512, batchSize: 64, initTokens: 128, measureTokens: 128 },
  ...{ bufferTokens: 256, modelBatch: 4, resampleTokens: 128, deadAfterTokens: 128, k: 3, l1Coefficient: 1 },
}

/** A run whose autoencoder was trained. */
async function trainedRun(t: TestContext, values: object = {}) {
  const { root, inputs } = await smallRun(t, { collect: false })
  const sae = join(root, 'trained')
  const config = saeConfigSchema.parse({ ...training, ...values })
  const { model, corpus } = await openModelAndCorpus(kernels, inputs)
  const options = { ...{ seed: 0, bufferTokens: 256, dtype: 'f32' as const, modelBatch: 4 } }
  const source = createLiveSource(kernels, model, corpus, {
    ...options,
    hookName,
    targetHookName: config.targetHookName,
  })
  const { corpus: corpusPath, model: modelPath } = inputs
  await runSaeStage(config, { source, out: sae, inputs: { corpus: corpusPath, model: modelPath } }, context)
  return { root, untrained: inputs.sae, paths: { ...inputs, sae, out: join(root, 'baselines') } }
}

const configOf = (values: object = {}) =>
  baselinesConfigSchema.parse({ pcaTokens: 512, tokens: 600, meanTokens: 200, batchWindows: 8, ...values })

test('all baselines are made, measured on the same documents, judged, and reused', async (t) => {
  const { paths } = await trainedRun(t)
  const config = configOf({ only: [...baselineNames] })
  const { directory, reused } = await runBaselines(config, paths, context)
  assert.equal(reused, false)
  const report = await readBaselinesReport(directory)
  assert.deepEqual(report.baselines.map(({ name }) => name).sort(), [...baselineNames].sort())
  const { dictionary, sameBudget } = report
  assert.equal(sameBudget, null)
  for (const { name, ownModel, report: found, verdicts, against } of report.baselines) {
    assert.equal(found.tokens, dictionary.report.tokens, name)
    assert.equal(verdicts.length, ownModel ? 4 : 3, name)
    assert.equal(against, 'dictionary', name)
  }
  // K = L0: ties at 0 aside, every token has as many coordinates as the dictionary has features
  for (const name of ['pca', 'neurons']) {
    const found = report.baselines.find((each) => each.name === name)
    assert.ok(Math.abs((found?.report.l0 ?? 0) - Math.round(dictionary.report.l0)) < 1e-9, name)
  }
  const page = await readFile(join(directory, 'report.html'), 'utf8')
  const text = renderBaselines(report)
  for (const { label } of report.baselines) assert.ok(page.includes(label) && text.includes(label), label)
  assert.ok(text.split('\n').every((line) => line.length <= 100))
  assert.equal((await runBaselines(config, paths, context)).reused, true)
})

test('the frozen decoder is the dictionary’s own start, and is left alone', async (t) => {
  const { paths } = await trainedRun(t, { architecture: 'topk' })
  await runBaselines(configOf({ only: ['frozen-decoder'] }), paths, context)
  const decoderOf = async (directory: string) => {
    using sae = await loadSae(kernels, directory)
    return kernels.readF32(sae.params.wDec)
  }
  const frozen = join(paths.out, 'frozen-decoder', 'sae')
  const { config } = await openStage(frozen, 'sae')
  assert.equal(config.freezeDecoder, true)
  assert.equal(config.trainTokens, training.trainTokens)
  assert.notDeepEqual(await decoderOf(frozen), await decoderOf(paths.sae))
})

test('with another budget the dictionary is trained again, and that one is compared with what is trained', async (t) => {
  const { paths } = await trainedRun(t)
  const config = configOf({ only: ['neurons', 'frozen-decoder'], trainTokens: 256 })
  const report = await readBaselinesReport((await runBaselines(config, paths, context)).directory)
  assert.equal(report.sameBudget?.trainTokens, 256)
  assert.equal(report.dictionary.trainTokens, 512)
  const against = Object.fromEntries(report.baselines.map((each) => [each.name, each.against]))
  assert.deepEqual(against, { neurons: 'dictionary', 'frozen-decoder': 'same budget' })
})

test('what makes no sense for a dictionary is refused before anything is trained', async (t) => {
  const { paths, untrained } = await trainedRun(t, { targetHookName: 'blocks.0.hook_mlp_out' })
  await assert.rejects(runBaselines(configOf(), paths, context), {
    code: 'config',
    message: /expected an autoencoder for pca, got a transcoder/,
  })
  const others = { ...paths, sae: untrained, out: `${paths.out}-others` }
  await assert.rejects(runBaselines(configOf({ only: ['shuffled'] }), others, context), {
    code: 'config',
    message: /expected an autoencoder that was trained here for shuffled/,
    hint: /--only pca neurons/,
  })
  const bases = configOf({ only: ['pca', 'neurons'] })
  const report = await readBaselinesReport((await runBaselines(bases, others, context)).directory)
  assert.equal(report.baselines.length, 2)
})
