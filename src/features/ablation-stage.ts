import { join } from 'node:path'
import { FLOAT, INTEGER, LIST, SMALLINT } from '@duckdb/node-api'
import { type AnalysisPaths, loadInputs } from '../eval/eval-stage.js'
import { sqlString, withDatabase } from '../formats/duckdb.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { openStage } from '../storage/open-stage.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { type AblationEffect, ablateExamples } from './ablation.js'
import type { AblationConfig } from './ablation-config.js'
import { type PlacedExample, readExamples } from './ablation-examples.js'
import { createTableWriter, tableFiles, topGroup } from './feature-tables.js'
import type { FeaturesConfig } from './features-config.js'

/** ablation.parquet: one row per measured example, in the order of examples-*.parquet. */
const ablationColumns = {
  feature: INTEGER,
  /** -1 for top examples, and with `rank` the row of examples-*.parquet that this one belongs to */
  interval: SMALLINT,
  rank: SMALLINT,
  document: INTEGER,
  position: INTEGER,
  /** effect at the example's token; null where no token follows it in its document */
  effect: FLOAT,
  /** sum over the context */
  total: FLOAT,
  /** tokens at which the feature was taken out */
  removed: SMALLINT,
  /** for each token that the example shows; NaN where no token follows in the document */
  effects: LIST(FLOAT),
}

/** The content of ablation.json. Effects are changes of log-likelihood in nats. */
export interface AblationSummary {
  hookName: string
  /** where the features were taken out: another hook point only for transcoders */
  targetHookName: string
  where: AblationConfig['where']
  /** features with at least one example; dead ones have none */
  features: number
  examples: number
  /** means over the examples: at the example's token, and of the sum over the context */
  meanEffect: number | null
  meanTotal: number | null
  /** share of the examples in which the next tokens became less likely, all told */
  helpful: number | null
}

/** What one example's feature does there. */
export interface ExampleEffect {
  feature: number
  /** null for top examples */
  interval: number | null
  rank: number
  document: number
  position: number
  /**
   * change of the log-likelihood of the next token, in nats, at the example's token when the feature is taken out: negative where the
   * feature helps. null where no token follows in the document.
   */
  effect: number | null
  /** sum over the context */
  total: number
  /** tokens at which the feature was taken out */
  removed: number
  /** the same as `effect` for each token that the example shows */
  effects: (number | null)[]
}

/** The effects of one feature, over its measured examples. */
export interface FeatureEffect {
  feature: number
  examples: number
  /** mean change of log-likelihood at the example's token, in nats; null where no example has a next token */
  meanEffect: number | null
  /** mean sum over the context */
  meanTotal: number
}

/** A finished `ablation` directory, in memory. */
export interface Ablation {
  summary: AblationSummary
  /** top examples first, then by interval from the highest, as in the feature store; empty for features without examples */
  ofFeature(feature: number): ExampleEffect[]
  /** all measured features, by id */
  features: FeatureEffect[]
}

/** The finished directories that `ablation` reads, and where it writes. */
export interface AblationPaths extends AnalysisPaths {
  features: string
}

/**
 * Runs the `ablation` stage: ablation.parquet and ablation.json. It keeps no checkpoint: when interrupted it starts over.
 * @throws MonosemError missing, config (the features are those of another autoencoder, model or corpus), shape, corrupt, io,
 * interrupted
 */
export async function runAblationStage(
  config: AblationConfig,
  paths: AblationPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, ...inputs } = paths
  const store = await openStage<{ split?: FeaturesConfig['split'] }>(paths.features, 'features')
  for (const role of ['corpus', 'model', 'sae'] as const) await requireMadeFrom(store, role, paths[role])
  const request = { stage: 'ablation', out, config: { ...config }, inputs }
  return runStage(request, async (partial) => {
    const { model, sae, corpus } = await loadInputs(paths, context.kernels)
    const { split: name } = await store.json<Pick<FeaturesConfig, 'split'>>('features.json')
    const split = corpus[name]
    const files = await tableFiles(store, 'examples', sae.features)
    const examples = await readExamples(files, split, config.examplesPerFeature)
    const all = { model, sae, split, startOfText: corpus.tokenizer.startOfText }
    const effects = await ablateExamples(config, all, examples, context)
    await writeEffects(join(partial, 'ablation.parquet'), examples, effects)
    const summary: AblationSummary = {
      hookName: sae.hookName,
      targetHookName: sae.targetHookName,
      where: config.where,
      ...figuresOf(examples, effects),
    }
    await writeFileAtomic(join(partial, 'ablation.json'), `${JSON.stringify(summary, null, 2)}\n`)
  })
}

/** Effect at the example's own token; NaN where none follows. */
const ownEffect = ({ token, first }: PlacedExample, { effects }: AblationEffect): number =>
  effects[token - first]

function figuresOf(
  examples: readonly PlacedExample[],
  effects: readonly AblationEffect[],
): Pick<AblationSummary, 'features' | 'examples' | 'meanEffect' | 'meanTotal' | 'helpful'> {
  const own = examples.map((example, i) => ownEffect(example, effects[i])).filter(Number.isFinite)
  return {
    features: new Set(examples.map(({ feature }) => feature)).size,
    examples: examples.length,
    meanEffect: meanOf(own),
    meanTotal: meanOf(effects.map(({ total }) => total)),
    helpful: meanOf(effects.map(({ total }) => (total < 0 ? 1 : 0))),
  }
}

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length

async function writeEffects(
  path: string,
  examples: readonly PlacedExample[],
  effects: readonly AblationEffect[],
): Promise<void> {
  const table = await createTableWriter(path, ablationColumns)
  examples.forEach((example, i) => {
    const own = ownEffect(example, effects[i])
    const { feature, interval, rank, document, position } = example
    table.add({
      ...{ feature, interval: interval ?? topGroup, rank, document, position },
      effect: Number.isNaN(own) ? null : own,
      total: effects[i].total,
      removed: effects[i].tokens,
      effects: effects[i].effects,
    })
  })
  await table.close()
}

/**
 * Reads a finished `ablation` directory; its files are checked against their hashes.
 * @throws MonosemError missing (not a finished ablation directory), corrupt
 */
export async function readAblation(directory: string): Promise<Ablation> {
  const stage = await openStage(directory, 'ablation')
  const summary = await stage.json<AblationSummary>('ablation.json')
  const path = await stage.file('ablation.parquet')
  const byFeature = await queryEffects(path)
  return {
    summary,
    ofFeature: (feature) => byFeature.get(feature) ?? [],
    features: Array.from(byFeature, ([feature, examples]) => ({
      feature,
      examples: examples.length,
      meanEffect: meanOf(examples.flatMap(({ effect }) => (effect === null ? [] : [effect]))),
      meanTotal: meanOf(examples.map(({ total }) => total)) as number,
    })),
  }
}

/**
 * What the absence of some features does to their examples, by feature, from a finished `ablation` directory.
 * @param features the `features` directory that the examples must be of
 * @throws MonosemError missing, corrupt, config (the examples are of other features)
 */
export async function readEffects(
  directory: string,
  features: string,
  ids: readonly number[],
): Promise<Map<number, ExampleEffect[]>> {
  const stage = await openStage(directory, 'ablation')
  await requireMadeFrom(stage, 'features', features)
  return queryEffects(await stage.file('ablation.parquet'), ids)
}

/** Rows of ablation.parquet by feature, of some features or of all. */
async function queryEffects(path: string, ids?: readonly number[]): Promise<Map<number, ExampleEffect[]>> {
  const byFeature = new Map<number, ExampleEffect[]>()
  if (ids?.length === 0) return byFeature
  const rows = await withDatabase(async (connection) => {
    const found = await connection.runAndReadAll(
      `SELECT * FROM read_parquet(${sqlString(path)}) ${ids ? `WHERE feature IN (${ids})` : ''}
       ORDER BY feature, interval = ${topGroup} DESC, interval DESC, rank`,
    )
    return found.getRowObjectsJS() as Record<string, unknown>[]
  })
  for (const effect of rows.map(exampleEffectOf)) {
    const own = byFeature.get(effect.feature)
    if (own) own.push(effect)
    else byFeature.set(effect.feature, [effect])
  }
  return byFeature
}

/** One row of ablation.parquet. */
export const exampleEffectOf = (row: Record<string, unknown>): ExampleEffect => ({
  feature: row.feature as number,
  interval: row.interval === topGroup ? null : (row.interval as number),
  rank: row.rank as number,
  document: row.document as number,
  position: row.position as number,
  effect: row.effect as number | null,
  total: row.total as number,
  removed: row.removed as number,
  effects: (row.effects as number[]).map((effect) => (Number.isNaN(effect) ? null : effect)),
})
