import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openCorpus } from '../../src/corpus/corpus.js'
import { corpusConfigSchema } from '../../src/corpus/corpus-config.js'
import { runCorpusStage } from '../../src/corpus/corpus-stage.js'
import { featuresConfigSchema } from '../../src/features/features-config.js'
import { runFeaturesStage } from '../../src/features/features-stage.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { saveTransformer } from '../../src/model/model-files.js'
import { createTransformer } from '../../src/model/transformer.js'
import { silentProgress } from '../../src/progress/progress.js'
import { readSae, type SaeArrays } from '../../src/sae/sae-params.js'
import { writeSaelens } from '../../src/sae/saelens.js'
import { runStage } from '../../src/storage/stage.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { temporaryDirectory } from '../temporary-directory.js'

export const kernels = createReferenceKernels()
export const context = { progress: silentProgress, kernels }
export const features = 24
export const hookName = 'blocks.0.mlp.hook_post'
const greetings = ['hello', 'سلام', 'שלום']

/** A corpus of a few words, an untrained model, and a random autoencoder with its features, as finished directories. */
export async function smallRun(t: TestContext, arrays: SaeArrays = randomArrays(features, 12)) {
  const root = await temporaryDirectory(t)
  for (let file = 0; file < 12; file++) {
    const line = (_: unknown, i: number) => `Line ${i} says ${greetings[(i + file) % 3]} ${file * i * i}.`
    await writeFile(join(root, `text-${file}.txt`), Array.from({ length: 20 }, line).join('\n\n'))
  }
  const names = ['corpus', 'model', 'sae', 'features'] as const
  const paths = Object.fromEntries(names.map((name) => [name, join(root, name)])) as Record<
    (typeof names)[number],
    string
  >
  const corpus = { text: [join(root, '*.txt')], vocabularySize: 300, validationFraction: 0.4 }
  await runCorpusStage(corpusConfigSchema.parse(corpus), { out: paths.corpus }, context)
  const { tokenizer } = await openCorpus(paths.corpus)
  const sizes = { layers: 1, dModel: 8, heads: 2, dMlp: 12, context: 16 }
  const model = createTransformer(kernels, { ...sizes, vocabularySize: tokenizer.vocabularySize }, 1)
  await runStage({ stage: 'model', out: paths.model, config: {}, inputs: {} }, (partial) =>
    saveTransformer(model, partial),
  )
  await writeSae(paths.sae, arrays)
  const config = featuresConfigSchema.parse({ tokens: 2000, intervals: 4, topExamples: 6 })
  const { features: out, ...inputs } = paths
  await runFeaturesStage(config, { ...inputs, out }, context)
  return { root, paths }
}

/** A finished `sae` directory of these weights. */
export async function writeSae(out: string, arrays: SaeArrays): Promise<void> {
  const sae = saeOf(kernels, arrays, arrays.bDec.length, hookName)
  const read = await readSae(kernels, sae.params)
  await runStage({ stage: 'sae', out, config: {}, inputs: {} }, (partial) =>
    writeSaelens(partial, { config: sae.config, arrays: read }),
  )
}
