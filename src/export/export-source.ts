import { openCorpus } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import { sampleWindows } from '../eval/sample-windows.js'
import type { Explanation } from '../explain/evidence.js'
import { readFeatureList } from '../explain/feature-list.js'
import type { FeaturesSummary } from '../features/build-features.js'
import type { MapRow } from '../features/feature-map.js'
import {
  type FeatureDetail,
  type FeatureExample,
  type FeatureStore,
  openFeatureStore,
} from '../features/feature-store.js'
import type { FeaturesConfig } from '../features/features-config.js'
import { readTransformerConfig } from '../model/model-files.js'
import type { TransformerConfig } from '../model/transformer.js'
import { readSaelens } from '../sae/formats/saelens.js'
import { openStage } from '../storage/open-stage.js'
import type { ExportConfig } from './export-config.js'

/** Another feature and how alike its decoder row is. */
export type Neighbour = MapRow['neighbours'][number]

/** What other stages found out about features, by feature. */
export interface Findings {
  /** in the order in which they are to be shown */
  explanations: ReadonlyMap<number, readonly Explanation[]>
  /** nearest first */
  neighbours: ReadonlyMap<number, readonly Neighbour[]>
}

const noFindings: Findings = { explanations: new Map(), neighbours: new Map() }

/** All that an export can say, whatever the format. */
export interface ExportSource extends Findings {
  config: ExportConfig
  /** features to export, ascending */
  features: number[]
  summary: FeaturesSummary
  tokenizer: Tokenizer
  model: TransformerConfig
  layer: number
  /** windows of text that the features were collected on, and their length in tokens */
  prompts: number
  promptTokens: number
  /** of features, in this order, read some hundred at a time */
  details(features: readonly number[]): AsyncIterable<FeatureDetail>
  /** the feature's row of W_dec; empty where vectors are not wanted */
  vector(feature: number): number[]
  close(): void
}

/**
 * Opens a finished `features` directory and the autoencoder, model and corpus that it was made from.
 * @throws MonosemError missing, corrupt (an input was replaced since), config (no such feature, or no layer)
 */
export async function openExportSource(
  directory: string,
  config: ExportConfig,
  findings: Findings = noFindings,
): Promise<ExportSource> {
  const stage = await openStage<FeaturesConfig>(directory, 'features')
  const [corpus, model, sae] = await Promise.all([
    stage.input('corpus').then(openCorpus),
    stage.input('model').then(modelConfig),
    stage.input('sae').then(readSaelens),
  ])
  const store = await openFeatureStore(directory)
  try {
    const { wDec } = sae.arrays
    const width = wDec.length / store.summary.features
    return {
      config,
      features: readFeatureList(config.features, store.summary.features),
      summary: store.summary,
      tokenizer: store.tokenizer,
      model,
      layer: layerOf(config, store.summary.hookName),
      prompts: sampleWindows(corpus[stage.config.split], model.context, stage.config.tokens).length,
      promptTokens: model.context,
      details: (features) => detailsOf(store, features),
      vector: (feature) =>
        config.vectors ? Array.from(wDec.subarray(feature * width, (feature + 1) * width), figure) : [],
      ...findings,
      close: store.close,
    }
  } catch (error) {
    store.close()
    throw error
  }
}

/** Features read at once: enough that a query costs little beside its rows, few enough to be held in memory. */
const readTogether = 128

async function* detailsOf(store: FeatureStore, features: readonly number[]): AsyncGenerator<FeatureDetail> {
  for (let first = 0; first < features.length; first += readTogether)
    yield* await store.getMany(features.slice(first, first + readTogether))
}

async function modelConfig(directory: string): Promise<TransformerConfig> {
  const stage = await openStage(directory, 'model')
  return (await readTransformerConfig(await stage.file('model.json'))).config
}

function layerOf({ layer }: ExportConfig, hookName: string): number {
  const named = /^blocks\.(\d+)\./.exec(hookName)?.[1]
  if (layer !== undefined) return layer
  if (named !== undefined) return Number(named)
  throw new MonosemError('config', `hook point ${hookName} names no layer, which these formats ask for`, {
    hint: 'say which with --layer',
  })
}

/** A figure as exports write it: six significant digits. */
export const figure = (value: number): number => Number(value.toPrecision(6))

/** Middles and heights of the bars of a histogram over [low, high]. */
export function barsOf(
  low: number,
  high: number,
  counts: readonly number[],
): { values: number[]; heights: number[] } {
  const width = (high - low) / counts.length
  return { values: counts.map((_, i) => figure(low + (i + 0.5) * width)), heights: [...counts] }
}

/** Bars of the activation histogram up to the bin of the maximum; none for a dead feature. */
export function activationBars({ histogram, max, fires }: FeatureDetail): ReturnType<typeof barsOf> {
  if (fires === 0) return { values: [], heights: [] }
  const { range, counts } = histogram
  const used = Math.max(1, Math.ceil((max / range) * counts.length))
  return barsOf(0, (used * range) / counts.length, counts.slice(0, used))
}

/** Limits of the interval that an example was drawn from, of `intervals` equal ones of (0, max]. */
export function intervalLimits(
  interval: number,
  max: number,
  intervals: number,
): { low: number; high: number } {
  return { low: figure((interval * max) / intervals), high: figure(((interval + 1) * max) / intervals) }
}

/**
 * Share of all tokens with an activation in (low, high], read off the histogram: activations are taken to be spread evenly within a
 * bin.
 */
export function shareBetween(
  { histogram, density, fires }: FeatureDetail,
  low: number,
  high: number,
): number {
  if (fires === 0) return 0
  const { range, counts } = histogram
  const width = range / counts.length
  let inside = 0
  counts.forEach((count, bin) => {
    const overlap = Math.min(high, (bin + 1) * width) - Math.max(low, bin * width)
    if (overlap > 0) inside += (count * overlap) / width
  })
  return figure((inside / fires) * density)
}

/** The examples of a feature by the interval that they were drawn from, highest first. */
export function intervalGroups(detail: FeatureDetail): { interval: number; examples: FeatureExample[] }[] {
  const groups = new Map<number, FeatureExample[]>()
  for (const example of detail.intervals) {
    const interval = example.interval ?? 0
    groups.set(interval, [...(groups.get(interval) ?? []), example])
  }
  return [...groups].sort(([a], [b]) => b - a).map(([interval, examples]) => ({ interval, examples }))
}
