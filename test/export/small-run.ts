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
import { readSae } from '../../src/sae/sae-params.js'
import { writeSaelens } from '../../src/sae/saelens.js'
import { runStage } from '../../src/storage/stage.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { temporaryDirectory } from '../temporary-directory.js'

const kernels = createReferenceKernels()
const context = { progress: silentProgress, kernels }

/** F of `smallRun`; the last feature is dead. */
export const smallFeatures = 8

/**
 * A `features` directory and what it was made from: words in three scripts, cut into bytes more often than not, an untrained model and
 * a random autoencoder.
 */
export async function smallRun(t: TestContext): Promise<{ root: string; features: string }> {
  const root = await temporaryDirectory(t)
  const greetings = ['hello', 'سلام', 'שלום']
  for (let file = 0; file < 8; file++) {
    const lines = Array.from(
      { length: 20 },
      (_, i) => `Line ${i} says ${greetings[(i + file) % 3]} ${file * i}.`,
    )
    await writeFile(join(root, `text-${file}.txt`), lines.join('\n\n'))
  }
  const paths = { corpus: join(root, 'corpus'), model: join(root, 'model'), sae: join(root, 'sae') }
  const corpusConfig = { text: [join(root, '*.txt')], vocabularySize: 270, validationFraction: 0.3 }
  await runCorpusStage(corpusConfigSchema.parse(corpusConfig), { out: paths.corpus }, context)
  const { tokenizer } = await openCorpus(paths.corpus)
  const sizes = { layers: 1, dModel: 8, heads: 2, dMlp: 12, context: 16 }
  const model = createTransformer(kernels, { ...sizes, vocabularySize: tokenizer.vocabularySize }, 1)
  const stage = { config: {}, inputs: {} }
  await runStage({ stage: 'model', out: paths.model, ...stage }, (partial) => saveTransformer(model, partial))
  const weights = randomArrays(smallFeatures, 12)
  // An untrained model's activations are small.
  weights.bEnc.fill(-0.02)
  weights.bDec.fill(0)
  weights.bEnc[smallFeatures - 1] = -1e6
  const sae = saeOf(kernels, weights, 12, 'blocks.0.mlp.hook_post')
  const arrays = await readSae(kernels, sae.params)
  await runStage({ stage: 'sae', out: paths.sae, ...stage }, (partial) =>
    writeSaelens(partial, { config: sae.config, arrays }),
  )
  const config = featuresConfigSchema.parse({ tokens: 1500, intervals: 4, topExamples: 5 })
  const out = join(root, 'features')
  await runFeaturesStage(config, { ...paths, out }, context)
  return { root, features: out }
}
