import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { distinctNames, readComparison, runCompareStage } from '../../src/eval/compare-evals.js'
import { evalConfigSchema } from '../../src/eval/eval-config.js'
import { readEvalReport, runEvalStage } from '../../src/eval/eval-stage.js'
import { renderComparison } from '../../src/eval/render-comparison.js'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { loadTransformer, saveTransformer } from '../../src/model/model-files.js'
import { writeSaelens } from '../../src/sae/formats/saelens.js'
import { runStage } from '../../src/storage/stage.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { context, kernels, smallRun } from '../small-run.js'
import { randomArrays, saeOf } from './tiny-sae.js'

const config = evalConfigSchema.parse({ tokens: 1200 })

test('the stage writes figures, a page without scripts, and figures feature by feature', async (t) => {
  const { root, inputs } = await smallRun(t, { collect: false })
  const { directory } = await runEvalStage(config, { ...inputs, out: join(root, 'eval') }, context)
  const report = await readEvalReport(directory)
  const page = await readFile(join(directory, 'report.html'), 'utf8')
  assert.match(page, /<h1>Evaluation of blocks\.0\.mlp\.hook_post<\/h1>/)
  assert.equal(page.match(/<section class="figure">/g)?.length, 6)
  assert.doesNotMatch(page, /<script|NaN|undefined/)
  for (const { reason } of report.underpowered) assert.ok(page.includes(reason), reason)
  const { tensors } = await readSafetensors(join(directory, 'features.safetensors'))
  const { fires, max_decoder_cosine: cosines, encoder_decoder_cosine: alignment } = tensors
  assert.equal(fires.data.filter((count) => count === 0).length, report.density.neverFired)
  assert.equal(Math.max(...cosines.data), report.decoder.maxCosine?.max)
  // the tiny autoencoder's encoder is its decoder
  assert.ok(alignment.data.every((cosine) => cosine > 0.999))
})

test('an autoencoder in files of another program is evaluated as ours is, and named by its hashes', async (t) => {
  const { root, inputs } = await smallRun(t, { collect: false })
  const foreign = join(root, 'foreign')
  await mkdir(foreign)
  for (const name of ['cfg.json', 'sae_weights.safetensors'])
    await copyFile(join(inputs.sae, name), join(foreign, name))
  const ours = await runEvalStage(config, { ...inputs, out: join(root, 'eval') }, context)
  const paths = { ...inputs, sae: foreign, out: join(root, 'eval-foreign') }
  const theirs = await runEvalStage(config, paths, context)
  assert.deepEqual(await readEvalReport(theirs.directory), await readEvalReport(ours.directory))
  const made = JSON.parse(await readFile(join(theirs.directory, 'config.json'), 'utf8'))
  assert.deepEqual(Object.keys(made.config.sae.files), ['cfg.json', 'sae_weights.safetensors'])
  assert.equal((await runEvalStage(config, paths, context)).reused, true)
  const other = saeOf(kernels, randomArrays(24, 12, 9), 12, 'blocks.0.mlp.hook_post')
  await writeSaelens(foreign, { config: other.config, arrays: randomArrays(24, 12, 9) })
  await assert.rejects(runEvalStage(config, paths, context), {
    code: 'config',
    message: /config\.sae\.files/,
  })
})

test('an autoencoder of a hook point that the model does not have, or of another width there, is refused', async (t) => {
  const { root, inputs } = await smallRun(t, { collect: false })
  const run = (hookName: string) =>
    runEvalStage(
      config,
      { ...inputs, sae: join(inputs.sae, 'sae_weights.safetensors'), out: join(root, 'eval') },
      context,
      { hookName },
    )
  await assert.rejects(run('blocks.5.mlp.hook_post'), { code: 'missing', message: /blocks\.5/ })
  await assert.rejects(run('blocks.0.hook_resid_post'), { code: 'shape', message: /width/ })
})

test('evaluations are compared side by side, and what does not compare is refused', async (t) => {
  const { root, inputs } = await smallRun(t, { collect: false })
  const evaluate = async (name: string, paths: Partial<typeof inputs> = {}, tokens = config.tokens) => {
    const out = join(root, name)
    return (await runEvalStage({ ...config, tokens }, { ...inputs, ...paths, out }, context)).directory
  }
  const saeAt = async (name: string, hookName: string, width: number) => {
    const arrays = randomArrays(8, width, 5)
    const { directory } = await runStage(
      { stage: 'sae', out: join(root, name), config: {}, inputs: {} },
      (partial) => writeSaelens(partial, { config: saeOf(kernels, arrays, width, hookName).config, arrays }),
    )
    return directory
  }
  const one = await evaluate('eval')
  const shorter = await evaluate('eval-short', {}, 900)
  const smaller = await evaluate('eval-small', {
    sae: await saeAt('sae-small', 'blocks.0.mlp.hook_post', 12),
  })

  await t.test('a report over several, which warns of another sample', async () => {
    const { directory } = await runCompareStage([one, shorter, smaller], join(root, 'comparison'))
    const found = await readComparison(directory)
    assert.deepEqual(
      found.evaluations.map(({ name }) => name),
      ['eval', 'eval-short', 'eval-small'],
    )
    assert.match(
      found.warnings.join(),
      /^eval-short was measured on another sample than eval \(tokens differs\)/,
    )
    const page = await readFile(join(directory, 'report.html'), 'utf8')
    assert.match(page, /<th>eval-small<\/th>/)
    assert.match(page, /explained variance against L0/)
    assert.doesNotMatch(page, /<script|NaN|undefined/)
    const text = renderComparison(found)
    assert.match(text, /^eval-small +8 /m)
    for (const line of text.split('\n').slice(0, 5)) assert.ok(displayWidth(line) <= 100, line)
  })

  await t.test('fewer than two, the same twice, another hook point and another model', async () => {
    const refused = (directories: string[], message: RegExp) =>
      assert.rejects(runCompareStage(directories, join(root, 'refused')), { code: 'config', message })
    await refused([one], /at least two evaluations, got 1/)
    await refused([one, shorter, one], /twice/)
    const elsewhere = await evaluate('eval-elsewhere', {
      sae: await saeAt('sae-elsewhere', 'blocks.0.hook_resid_post', 8),
    })
    await refused([one, elsewhere], /one hook point.*blocks\.0\.mlp\.hook_post.*blocks\.0\.hook_resid_post/)
    const other = await loadTransformer(kernels, inputs.model)
    kernels.scaleInPlace(other.params['unembed.W_U'], 2)
    const { directory: model } = await runStage(
      { stage: 'model', out: join(root, 'other-model'), config: {}, inputs: {} },
      async (partial) => {
        await saveTransformer(other, partial)
        await copyFile(join(inputs.model, 'tokenizer.json'), join(partial, 'tokenizer.json'))
      },
    )
    await refused([one, await evaluate('eval-other', { model })], /one model/)
    await assert.rejects(runCompareStage([one, inputs.model], join(root, 'refused')), { code: 'missing' })
  })
})

test('paths are told apart by where they differ', () => {
  assert.deepEqual(distinctNames(['runs/a/eval', 'runs/b/eval']), ['a', 'b'])
  assert.deepEqual(distinctNames(['runs/demo/eval', 'runs/demo/eval-topk']), ['eval', 'eval-topk'])
  assert.deepEqual(distinctNames(['runs/a', 'runs/a/eval']), ['a', 'a/eval'])
})
