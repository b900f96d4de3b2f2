import { encodedWindows } from '../eval/encoded-windows.js'
import type { EvaluateInputs } from '../eval/evaluate.js'
import { requireSaeFits } from '../eval/sae-on-model.js'
import { sampleWindows } from '../eval/sample-windows.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import type { Sae } from '../sae/sae.js'
import { quantileProbabilities } from './activation-histogram.js'
import { collect, createCollector } from './feature-collector.js'
import { exampleRows, type FeatureBlock, type Gathered, rowsOfFeature } from './feature-rows.js'
import { createFeatureTables, shardCount, shardFeatures } from './feature-tables.js'
import type { FeaturesConfig } from './features-config.js'
import { addJoint, createJointStatistics, finishJoint, freeJoint } from './joint-statistics.js'
import { logitEnds } from './logit-weights.js'
import { readPairs } from './pair-table.js'

/** The content of features.json: what the tables are about. */
export interface FeaturesSummary {
  hookName: string
  /** F */
  features: number
  /** text positions in the sample */
  tokens: number
  split: 'train' | 'validation'
  /** features that never fired on the sample */
  dead: number
  /** features whose fires are on one token of the vocabulary (99% of them) */
  singleToken: number
  /** how many equal intervals of (0, max] examples were drawn from */
  intervals: number
  /** the probabilities that quantiles of activations are given for */
  quantileProbabilities: number[]
  /** false where the hook point does not write to the residual stream, so that there are no logit weights */
  hasLogits: boolean
}

/**
 * One pass over text that gathers everything a feature's page shows, written to features-*.parquet,
 * tokens-*.parquet and examples-*.parquet in `directory`. Memory depends on the number of features and examples,
 * not on the number of tokens.
 * @throws MonosemError missing, shape, interrupted, io
 */
export async function buildFeatures(
  config: FeaturesConfig,
  inputs: EvaluateInputs,
  directory: string,
  context: StageContext = { progress: silentProgress },
): Promise<FeaturesSummary> {
  const { model, sae, split } = inputs
  requireSaeFits(model, sae)
  const gathered = await gather(config, inputs, context)
  const singleToken = await writeTables(gathered, sae, config, directory, context)
  freeJoint(gathered.joint)
  const { collector, ends } = gathered
  return {
    hookName: sae.hookName,
    features: sae.features,
    tokens: collector.tokens,
    split: split.name,
    dead: collector.fires.filter((fires) => fires === 0).length,
    singleToken,
    intervals: config.intervals,
    quantileProbabilities: [...quantileProbabilities],
    hasLogits: ends !== null,
  }
}

/** The pass over the text, then the weights. */
async function gather(
  config: FeaturesConfig,
  inputs: EvaluateInputs,
  context: StageContext,
): Promise<Gathered> {
  const { model, sae, split, startOfText } = inputs
  const contextSize = model.config.context
  const windows = sampleWindows(split, contextSize, config.tokens)
  const shape = { contextSize, before: config.contextBefore, after: config.contextAfter, startOfText }
  const collector = createCollector({
    ...{ features: sae.features, split, shape },
    ...{ top: config.topExamples, perBin: config.examplesPerInterval },
    key: Random.named(config.seed, 'features.examples').uint32(),
  })
  const sizes = { features: sae.features, vocabulary: model.config.vocabularySize, d: sae.d }
  const joint = createJointStatistics(model.kernels, sizes)
  const task = context.progress.start('collect features', windows.length * contextSize, 'tokens')
  let done = 0
  const options = { ...inputs, windows, batchWindows: config.batchWindows, withActivations: true }
  for await (const encoded of encodedWindows(options)) {
    throwIfInterrupted(context.signal)
    addJoint(joint, encoded)
    collect(collector, encoded)
    done += encoded.windows.length
    task.update(done * contextSize)
  }
  finishJoint(joint)
  task.end()
  return { collector, joint, ends: await logitEnds(model, sae, config.logitTokens) }
}

/** Features that are read back from the kernels at once. */
const blockFeatures = 256

/** @returns how many features are single-token */
async function writeTables(
  gathered: Gathered,
  sae: Sae,
  config: FeaturesConfig,
  directory: string,
  context: StageContext,
): Promise<number> {
  const task = context.progress.start('write features', sae.features, 'features')
  let singleToken = 0
  for (let shard = 0; shard < shardCount(sae.features); shard++) {
    const tables = await createFeatureTables(directory, shard)
    const end = Math.min(sae.features, (shard + 1) * shardFeatures)
    for (let first = shard * shardFeatures; first < end; first += blockFeatures) {
      throwIfInterrupted(context.signal)
      const block = await readBlock(gathered, sae, first)
      for (let feature = first; feature < first + block.count; feature++) {
        const rows = rowsOfFeature(gathered, block, config, feature)
        tables.features.add(rows.feature)
        for (const row of rows.tokens) tables.tokens.add(row)
        for (const row of exampleRows(gathered.collector, config, feature)) tables.examples.add(row)
        if (rows.feature.single_token) singleToken++
      }
      task.update(first + block.count)
    }
    for (const table of Object.values(tables)) await table.close()
  }
  task.end(
    `${gathered.collector.fires.filter((fires) => fires > 0).length} of ${sae.features} features fired`,
  )
  return singleToken
}

async function readBlock({ joint }: Gathered, sae: Sae, first: number): Promise<FeatureBlock> {
  const { kernels, params } = sae
  const count = Math.min(blockFeatures, sae.features - first)
  const [tokens, coActive, products, decoder] = await Promise.all([
    readPairs(joint.tokenCounts.pairs, first, count),
    readPairs(joint.coActivation, first, count),
    kernels.readF32(kernels.rows(joint.neurons.products, first, count)),
    kernels.readF32(kernels.rows(params.wDec, first, count)),
  ])
  return { first, count, tokens, coActive, products, decoder }
}
