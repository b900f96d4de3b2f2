import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCorpus } from '../src/corpus/corpus.js'
import { corpusConfigSchema } from '../src/corpus/corpus-config.js'
import { runCorpusStage } from '../src/corpus/corpus-stage.js'
import { openExplanations } from '../src/explain/explanations.js'
import { ablationConfigSchema } from '../src/features/ablation-config.js'
import { runAblationStage } from '../src/features/ablation-stage.js'
import { runMapStage } from '../src/features/feature-map.js'
import { featuresConfigSchema } from '../src/features/features-config.js'
import { runFeaturesStage } from '../src/features/features-stage.js'
import { mapConfigSchema } from '../src/features/map-config.js'
import { createReferenceKernels } from '../src/kernels/reference.js'
import { saveTransformer } from '../src/model/model-files.js'
import { createTransformer } from '../src/model/transformer.js'
import { silentProgress } from '../src/progress/progress.js'
import { writeSaelens } from '../src/sae/formats/saelens.js'
import { readSae, type SaeArrays } from '../src/sae/sae-params.js'
import { runStage } from '../src/storage/stage.js'
import { randomArrays, saeOf } from './eval/tiny-sae.js'
import { type Lifetime, temporaryDirectory } from './temporary-directory.js'

export const kernels = createReferenceKernels()
export const context = { progress: silentProgress, kernels }
export const features = 24
export const hookName = 'blocks.0.mlp.hook_post'
const greetings = ['hello', 'سلام', 'שלום']

/** F of `sparseArrays`; the last feature is dead. */
export const smallFeatures = 8

/** Weights of an autoencoder with few features that fire now and then on an untrained model, whose activations are small. */
export function sparseArrays(): SaeArrays {
  const arrays = randomArrays(smallFeatures, 12)
  arrays.bEnc.fill(-0.02)
  arrays.bDec.fill(0)
  arrays.bEnc[smallFeatures - 1] = -1e6
  return arrays
}

/** Parts that a run may have besides its features. Every second feature gets an explanation, with a score. */
export type SmallRunExtra = 'feature-map' | 'ablation' | 'explanations'

/** All of them: a run of which every page has something to show. */
export const everything: readonly SmallRunExtra[] = ['feature-map', 'ablation', 'explanations']

export interface SmallRunOptions {
  arrays?: SaeArrays
  collect?: boolean
  extras?: readonly SmallRunExtra[]
}

/**
 * A run directory: a corpus of words in three scripts, cut into bytes more often than not, an untrained model, an autoencoder and its
 * features.
 * @param options.arrays weights of the autoencoder; default: random ones of `features` features
 * @param options.collect whether to make `features`; default true
 * @param options.extras what to make besides, see `SmallRunExtra`; default nothing
 */
export async function smallRun(
  t: Lifetime,
  { arrays = randomArrays(features, 12), collect = true, extras = [] }: SmallRunOptions = {},
) {
  const root = await temporaryDirectory(t)
  for (let file = 0; file < 12; file++) {
    const line = (_: unknown, i: number) => `Line ${i} says ${greetings[(i + file) % 3]} ${file * i * i}.`
    await writeFile(join(root, `text-${file}.txt`), Array.from({ length: 20 }, line).join('\n\n'))
  }
  const inputs = { corpus: join(root, 'corpus'), model: join(root, 'model'), sae: join(root, 'sae') }
  const corpus = { text: [join(root, '*.txt')], vocabularySize: 270, validationFraction: 0.4 }
  await runCorpusStage(corpusConfigSchema.parse(corpus), { out: inputs.corpus }, context)
  const { tokenizer } = await openCorpus(inputs.corpus)
  const sizes = { layers: 1, dModel: 8, heads: 2, dMlp: 12, context: 16 }
  const model = createTransformer(kernels, { ...sizes, vocabularySize: tokenizer.vocabularySize }, 1)
  await runStage({ stage: 'model', out: inputs.model, config: {}, inputs: {} }, async (partial) => {
    await saveTransformer(model, partial)
    await copyFile(join(inputs.corpus, 'tokenizer.json'), join(partial, 'tokenizer.json'))
  })
  await writeSae(inputs.sae, arrays)
  const out = join(root, 'features')
  if (collect) await runFeaturesStage(smallConfig, { ...inputs, out }, context)
  const paths = { ...inputs, features: out }
  for (const extra of extras) await addExtra[extra](root, paths, arrays.bEnc.length)
  return { root, inputs, paths }
}

type SmallRunPaths = Record<'corpus' | 'model' | 'sae' | 'features', string>

const addExtra: Record<
  SmallRunExtra,
  (root: string, paths: SmallRunPaths, count: number) => Promise<unknown>
> = {
  'feature-map': (root, { sae, features }) =>
    runMapStage(
      mapConfigSchema.parse({ neighbours: 4 }),
      { sae, features, out: join(root, 'feature-map') },
      context,
    ),
  ablation: (root, paths) =>
    runAblationStage(ablationConfigSchema.parse({}), { ...paths, out: join(root, 'ablation') }, context),
  explanations: async (root, { features }, count) => {
    const store = await openExplanations(join(root, 'explanations'), features)
    const explained = Array.from({ length: Math.ceil(count / 2) }, (_, i) => 2 * i)
    await store.append(
      explained.map((feature) => ({
        ...{ feature, text: `greeting number ${feature}`, explainer: 'statistics' },
        ...{ configuration: 'small', examples: null },
        scores: [{ scorer: 'spearman', value: feature / count, reason: null, n: 100, details: {} }],
      })),
    )
  },
}

/** Options of the features of `smallRun`. */
export const smallConfig = featuresConfigSchema.parse({ tokens: 2000, intervals: 4, topExamples: 6 })

/** A finished `sae` directory of these weights. */
export async function writeSae(out: string, arrays: SaeArrays): Promise<void> {
  const sae = saeOf(kernels, arrays, arrays.bDec.length, hookName)
  const read = await readSae(kernels, sae.params)
  await runStage({ stage: 'sae', out, config: {}, inputs: {} }, (partial) =>
    writeSaelens(partial, { config: sae.config, arrays: read }),
  )
}
