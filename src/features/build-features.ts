import { requireSaeFits } from '../activations/sae-on-model.js'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { allGatherValues } from '../distributed/values.js'
import { encodedWindows } from '../eval/encoded-windows.js'
import type { EvaluateInputs } from '../eval/evaluate.js'
import { sampleWindows } from '../eval/sample-windows.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import type { Sae } from '../sae/sae.js'
import { quantileProbabilities } from './activation-histogram.js'
import type { FeatureSums } from './co-activation.js'
import { collect, createCollector, type FeatureCollector } from './feature-collector.js'
import { exampleRows, type FeatureBlock, type Gathered, rowsOfFeature } from './feature-rows.js'
import { createFeatureTables, shardFeatures } from './feature-tables.js'
import type { FeaturesConfig } from './features-config.js'
import { addJoint, createJointStatistics, finishJoint, freeJoint } from './joint-statistics.js'
import { logitEnds } from './logit-weights.js'
import { idsOf, ownCodes, ownFeatures } from './own-features.js'
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
 *
 * The ranks of `context` share the batches of text, of which all see all, and the features: each gathers and writes its own (`ownFeatures`). Files and
 * summary are those of one rank, to the bit.
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
  const { ranks = singleRank } = context
  const gathered = await gather(config, inputs, context)
  const singleToken = await writeTables(gathered, sae, config, directory, context)
  freeJoint(gathered.joint)
  const { totals, ends } = gathered
  return {
    hookName: sae.hookName,
    features: sae.features,
    tokens: totals.tokens,
    split: split.name,
    dead: totals.fires.filter((fires) => fires === 0).length,
    singleToken: (await ranks.sum([singleToken]))[0],
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
  const { ranks = singleRank } = context
  const own = ownFeatures(ranks, sae.features)
  const collector = createCollector({
    ...{ features: own.count, split, shape, ids: idsOf(own) },
    ...{ top: config.topExamples, perBin: config.examplesPerInterval },
    key: Random.named(config.seed, 'features.examples').uint32(),
  })
  const sizes = { features: sae.features, own, vocabulary: model.config.vocabularySize, d: sae.d }
  const joint = createJointStatistics(model.kernels, sizes)
  const task = context.progress.start('collect features', windows.length * contextSize, 'tokens')
  let done = 0
  const options = { ...inputs, windows, batchWindows: config.batchWindows, withActivations: true, ranks }
  for await (const encoded of encodedWindows(options)) {
    throwIfInterrupted(context.signal)
    if (own.count > 0) {
      const codes = ownCodes(own, encoded.codes)
      addJoint(joint, encoded, codes)
      collect(collector, { ...encoded, codes })
    }
    done += encoded.windows.length
    task.update(done * contextSize)
  }
  finishJoint(joint)
  task.end()
  const totals = await totalsOf(ranks, collector)
  return { own, collector, joint, totals, ends: await logitEnds(model, sae, config.logitTokens, own) }
}

/** The sums of all features, from the ranks that have them. */
async function totalsOf(
  ranks: Communicator,
  { tokens, fires, sum, squares }: FeatureCollector,
): Promise<FeatureSums> {
  const parts = await allGatherValues(ranks, { tokens, fires, sum, squares })
  const joined = (name: 'fires' | 'sum' | 'squares'): Float64Array => {
    const all = new Float64Array(parts.reduce((length, part) => length + part[name].length, 0))
    let next = 0
    for (const part of parts) {
      all.set(part[name], next)
      next += part[name].length
    }
    return all
  }
  // a rank without features has not counted
  const counted = parts[0].tokens
  return { tokens: counted, fires: joined('fires'), sum: joined('sum'), squares: joined('squares') }
}

/** Features that are read back from the kernels at once. */
const blockFeatures = 256

/** @returns how many of the rank's own features are single-token */
async function writeTables(
  gathered: Gathered,
  sae: Sae,
  config: FeaturesConfig,
  directory: string,
  context: StageContext,
): Promise<number> {
  const { own, totals } = gathered
  const task = context.progress.start('write features', own.count, 'features')
  const last = own.first + own.count
  let singleToken = 0
  for (let start = own.first; start < last; start += shardFeatures) {
    const tables = await createFeatureTables(directory, start / shardFeatures)
    const end = Math.min(last, start + shardFeatures)
    for (let first = start; first < end; first += blockFeatures) {
      throwIfInterrupted(context.signal)
      const block = await readBlock(gathered, sae, first)
      for (let feature = first; feature < first + block.count; feature++) {
        const rows = rowsOfFeature(gathered, block, config, feature)
        tables.features.add(rows.feature)
        for (const row of rows.tokens) tables.tokens.add(row)
        for (const row of exampleRows(gathered, config, feature)) tables.examples.add(row)
        if (rows.feature.single_token) singleToken++
      }
      task.update(first + block.count - own.first)
    }
    for (const table of Object.values(tables)) await table.close()
  }
  task.end(`${totals.fires.filter((fires) => fires > 0).length} of ${sae.features} features fired`)
  return singleToken
}

/** @param first a feature of our own */
async function readBlock({ own, joint }: Gathered, sae: Sae, first: number): Promise<FeatureBlock> {
  const { kernels, params } = sae
  const place = first - own.first
  const count = Math.min(blockFeatures, own.count - place)
  const [tokens, coActive, products, decoder] = await Promise.all([
    readPairs(joint.tokenCounts.pairs, place, count),
    readPairs(joint.coActivation, place, count),
    kernels.readF32(kernels.rows(joint.neurons.products, place, count)),
    kernels.readF32(kernels.rows(params.wDec, first, count)),
  ])
  return { first, count, tokens: { ...tokens, first }, coActive: { ...coActive, first }, products, decoder }
}
