import { join } from 'node:path'
import { locate } from '../corpus/windows.js'
import { encodedWindows } from '../eval/encoded-windows.js'
import type { EvaluateInputs } from '../eval/evaluate.js'
import { requireSaeFits } from '../eval/sae-on-model.js'
import { sampleWindows } from '../eval/sample-windows.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { histogramBins } from './activation-histogram.js'
import type { Example } from './example-slots.js'
import { collect, createCollector, type FeatureCollector, finish } from './feature-collector.js'
import {
  createTableWriter,
  exampleColumns,
  featureColumns,
  type TableWriter,
  tokenColumns,
  topGroup,
} from './feature-tables.js'
import type { FeaturesConfig } from './features-config.js'
import { drawIntervalExamples } from './interval-examples.js'
import { type LogitEnds, logitEnds } from './logit-weights.js'
import { type FeatureTokens, featureTokens } from './token-counts.js'
import { topExamplesOf } from './top-examples.js'

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
  /** how many equal intervals of (0, max] examples were drawn from */
  intervals: number
  /** false where the hook point does not write to the residual stream, so that there are no logit weights */
  hasLogits: boolean
}

/**
 * One pass over text that gathers everything a feature's page shows, written to features.parquet,
 * tokens.parquet and examples.parquet in `directory`. Memory depends on the number of features and examples, not on the number
 * of tokens.
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
  const collector = await collectFeatures(config, inputs, context)
  const ends = await logitEnds(model, sae, config.logitTokens)
  const features = await createTableWriter(join(directory, 'features.parquet'), featureColumns)
  const tokens = await createTableWriter(join(directory, 'tokens.parquet'), tokenColumns)
  const examples = await createTableWriter(join(directory, 'examples.parquet'), exampleColumns)
  const task = context.progress.start('write features', sae.features, 'features')
  for (let feature = 0; feature < sae.features; feature++) {
    const positions = { fires: collector.fires[feature], positions: collector.tokens }
    const table = featureTokens(collector.tokenCounts, feature, { ...positions, limit: config.tokenTable })
    features.add(featureRow(collector, ends, table, feature))
    addTokens(tokens, table, feature)
    addExamples(examples, collector, config, feature)
    if (feature % 64 === 63) {
      throwIfInterrupted(context.signal)
      task.update(feature + 1)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await features.close()
  await tokens.close()
  await examples.close()
  const dead = collector.fires.filter((fires) => fires === 0).length
  task.end(`${sae.features - dead} of ${sae.features} features fired`)
  return {
    hookName: sae.hookName,
    features: sae.features,
    tokens: collector.tokens,
    split: split.name,
    dead,
    intervals: config.intervals,
    hasLogits: ends !== null,
  }
}

/** The pass over the text. */
async function collectFeatures(
  config: FeaturesConfig,
  inputs: EvaluateInputs,
  context: StageContext,
): Promise<FeatureCollector> {
  const { model, sae, split, endOfText } = inputs
  const contextSize = model.config.context
  const windows = sampleWindows(split, contextSize, config.tokens)
  const sizes = { features: sae.features, vocabulary: model.config.vocabularySize }
  const shape = { contextSize, before: config.contextBefore, after: config.contextAfter, endOfText }
  const collector = createCollector(sizes, split, shape, config)
  const task = context.progress.start('collect features', windows.length * contextSize, 'tokens')
  let done = 0
  for await (const encoded of encodedWindows({ ...inputs, windows, batchWindows: config.batchWindows })) {
    throwIfInterrupted(context.signal)
    collect(collector, encoded)
    done += encoded.windows.length
    task.update(done * contextSize)
  }
  finish(collector)
  task.end()
  return collector
}

type Row = Parameters<TableWriter['add']>[0]

function featureRow(
  collector: FeatureCollector,
  ends: LogitEnds | null,
  table: FeatureTokens,
  feature: number,
): Row {
  const { fires, sum, max, histograms } = collector
  const k = ends?.k ?? 0
  const part = (list: Int32Array | Float32Array | undefined): ArrayLike<number> =>
    list?.subarray(feature * k, (feature + 1) * k) ?? []
  return [
    feature,
    fires[feature],
    collector.tokens > 0 ? fires[feature] / collector.tokens : 0,
    max[feature],
    fires[feature] > 0 ? sum[feature] / fires[feature] : null,
    table.singleToken,
    histograms.range[feature],
    histograms.counts.subarray(feature * histogramBins, (feature + 1) * histogramBins),
    part(ends?.topTokens),
    part(ends?.topWeights),
    part(ends?.bottomTokens),
    part(ends?.bottomWeights),
    table.missed,
  ]
}

function addTokens(writer: TableWriter, table: FeatureTokens, feature: number): void {
  table.tokens.forEach(({ token, active, occurrences, activationSum, lift }, rank) => {
    writer.add([feature, rank, token, active, occurrences, activationSum, lift])
  })
}

function addExamples(
  table: TableWriter,
  collector: FeatureCollector,
  config: FeaturesConfig,
  feature: number,
): void {
  const top = topExamplesOf(collector.top, feature)
  top.forEach((example, rank) => {
    table.add(exampleRow(collector, feature, topGroup, rank, example))
  })
  const drawn = drawIntervalExamples(collector.samples, collector.split, collector.histograms, feature, {
    max: collector.max[feature],
    intervals: config.intervals,
    perInterval: config.examplesPerInterval,
    taken: top,
  })
  let rank = 0
  drawn.forEach(({ interval, example }, i) => {
    rank = i > 0 && drawn[i - 1].interval === interval ? rank + 1 : 0
    table.add(exampleRow(collector, feature, interval, rank, example))
  })
}

function exampleRow(
  collector: FeatureCollector,
  feature: number,
  interval: number,
  rank: number,
  example: Example,
): Row {
  const { split } = collector
  const { document, offset } = locate(split, example.token)
  const { first, end } = example.range
  return [
    feature,
    interval,
    rank,
    example.activation,
    document,
    offset,
    example.token - first,
    split.tokens.subarray(first, end),
    example.activations,
  ]
}
