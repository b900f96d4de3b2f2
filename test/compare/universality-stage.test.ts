import assert from 'node:assert/strict'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { universalityConfigSchema } from '../../src/compare/universality-config.js'
import { readUniversality, runUniversalityStage } from '../../src/compare/universality-stage.js'
import { openCorpus } from '../../src/corpus/corpus.js'
import { runCaseStudiesStage } from '../../src/interp/case-studies.js'
import { caseStudiesConfigSchema } from '../../src/interp/case-studies-config.js'
import { saveTransformer } from '../../src/model/model-files.js'
import { createTransformer } from '../../src/model/transformer.js'
import { writeSaelens } from '../../src/sae/formats/saelens.js'
import { readSae } from '../../src/sae/sae-params.js'
import { runStage } from '../../src/storage/stage.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { context, features, hookName, kernels, smallRun } from '../small-run.js'

const config = universalityConfigSchema.parse({ tokens: 2000, minFires: 5, replicates: 100, examples: 2 })
let root = ''
let paths: Parameters<typeof runUniversalityStage>[1]

/** Another model and its autoencoder beside the run's. */
async function second(inputs: { corpus: string }): Promise<{ withModel: string; withSae: string }> {
  const { tokenizer } = await openCorpus(inputs.corpus)
  const sizes = { layers: 1, dModel: 8, heads: 2, dMlp: 12, context: 16 }
  const model = createTransformer(kernels, { ...sizes, vocabularySize: tokenizer.vocabularySize }, 2)
  const [withModel, withSae] = [join(root, 'other-model'), join(root, 'other-sae')]
  await runStage({ stage: 'model', out: withModel, config: {}, inputs }, async (partial) => {
    await saveTransformer(model, partial)
    await copyFile(join(inputs.corpus, 'tokenizer.json'), join(partial, 'tokenizer.json'))
  })
  const sae = saeOf(kernels, randomArrays(features, 12, 9), 12, hookName)
  const arrays = await readSae(kernels, sae.params)
  await runStage({ stage: 'sae', out: withSae, config: {}, inputs: { model: withModel } }, (partial) =>
    writeSaelens(partial, { config: sae.config, arrays }),
  )
  return { withModel, withSae }
}

before(async (t) => {
  const run = await smallRun(t as never, { collect: false })
  root = run.root
  const caseStudies = join(root, 'case-studies')
  const names = caseStudiesConfigSchema.parse({ names: ['arabic', 'hebrew'], minPositives: 1 })
  await runCaseStudiesStage(names, { ...run.inputs, out: caseStudies }, context)
  const other = await second({ corpus: run.inputs.corpus })
  paths = { ...run.inputs, ...other, caseStudies, out: join(root, 'universality') }
})

test('the stage writes figures that are read back, and a page with plots and both readings of a text', async () => {
  const made = await runUniversalityStage(config, paths, context)
  const { aToB, a, activation, version } = await readUniversality(made.directory)
  assert.equal(version, 1)
  assert.equal(a.hookName, hookName)
  assert.equal(aToB.fires.length, features)
  assert.equal(activation.neurons.compared, 12)
  const html = await readFile(join(made.directory, 'report.html'), 'utf8')
  assert.equal(html.match(/<svg[^>]*aria-label="(Cumulative|Activation)/g)?.length, 4)
  assert.ok(html.includes('arabic: A ') && html.includes('Features without a counterpart'))
  assert.ok(html.includes('background:rgba(213,94,0'))
  assert.doesNotMatch(html, /<script|NaN|undefined/)
  assert.equal((await runUniversalityStage(config, paths, context)).reused, true)
})

test('an autoencoder of another model is refused', async () => {
  const swapped = { ...paths, withModel: paths.model, out: join(root, 'swapped') }
  await assert.rejects(runUniversalityStage(config, swapped, context), {
    code: 'config',
    message: /other-sae was not made from the model in/,
  })
})

test('models of other tokenizers are refused', async (t) => {
  const other = await smallRun(t, { collect: false })
  const { tokenizer } = await openCorpus(other.inputs.corpus)
  const foreign = join(root, 'foreign-model')
  await runStage({ stage: 'model', out: foreign, config: {}, inputs: {} }, async (partial) => {
    const sizes = { layers: 1, dModel: 8, heads: 2, dMlp: 12, context: 16 }
    const { vocabularySize } = tokenizer
    await saveTransformer(createTransformer(kernels, { ...sizes, vocabularySize }, 2), partial)
    const json = await readFile(join(other.inputs.corpus, 'tokenizer.json'), 'utf8')
    await writeFile(join(partial, 'tokenizer.json'), `${json} `)
  })
  const mixed = { ...paths, withModel: foreign, withSae: other.inputs.sae, out: join(root, 'mixed') }
  await assert.rejects(runUniversalityStage(config, mixed, context), {
    code: 'config',
    message: /expected tokens of the tokenizer of/,
  })
})
