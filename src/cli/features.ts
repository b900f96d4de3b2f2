import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { firstTexts } from '../explain/feature-explanations.js'
import { type FeatureDetail, type FeatureStore, openFeatureStore } from '../features/feature-store.js'
import { featuresConfigSchema } from '../features/features-config.js'
import { runFeaturesStage } from '../features/features-stage.js'
import { type RenderOptions, renderFeature, renderFeatureList } from '../features/render-feature.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { explanationsOf, type Findings, findingsOf } from './feature-findings.js'
import { featureId } from './feature-id.js'
import { addAblate } from './features-ablate.js'
import { addFeatureMap } from './features-map.js'
import { addFeaturePages } from './features-pages.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addOptionalPaths, addPaths, readPaths } from './run-paths.js'
import type { Session } from './session.js'
import { addSpecificity } from './specificity.js'

/** `monosem features build`, `list`, `show` and `specificity` */
export function addFeatures(program: Command): void {
  const features = program.command('features').description('what each feature of an autoencoder responds to')
  addBuild(features)
  addList(features)
  addShow(features)
  addFeatureMap(features)
  addAblate(features)
  addFeaturePages(features)
  addSpecificity(features)
}

function addBuild(features: Command): void {
  const command = addCommand(
    features,
    'build',
    {
      description: 'Collect density, activation histogram, examples and logit weights of every feature.',
      example: 'monosem features build --run runs/demo --tokens 2_000_000 --out runs/demo/features-long',
      ranks: true,
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'], 'features')
      const config = readFlags(command, featuresConfigSchema)
      const result = await runFeaturesStage(config, paths, {
        ...session.context,
        kernels: await session.kernels(),
      })
      const summary = await readStageJson<Record<string, Json>>(result.directory, 'features', 'features.json')
      return { json: { ...result, ...summary }, text: `${madeOrReused(result)}\n${renderJson(summary)}` }
    },
  )
  addFlags(addPaths(command, ['corpus', 'model', 'sae'], 'features'), featuresConfigSchema)
}

const listSchema = z.object({
  sort: z.enum(['density', 'max', 'mean', 'id']).default('density').describe('what to sort by'),
  ascending: z.boolean().default(false).describe('smallest first (always so for id)'),
  limit: z.int().min(0).default(20).describe('features to list'),
  offset: z.int().min(0).default(0).describe('features to leave out at the start'),
  minDensity: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('only features at least this dense, share of tokens'),
  maxDensity: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('only features at most this dense, share of tokens'),
  tokens: z
    .enum(['any', 'single', 'several'])
    .default('any')
    .describe('only features that fire on a single token (99% of their fires), or only the others'),
})

function addList(features: Command): void {
  const command = addCommand(
    features,
    'list',
    {
      description: 'List features, one a line.',
      example: 'monosem features list --run runs/demo --sort max --max-density 0.01 --limit 50',
    },
    async (session, command) => {
      const { features } = readPaths(command, ['features'])
      const { ascending, tokens, ...options } = readFlags(command, listSchema)
      const singleToken = tokens === 'any' ? undefined : tokens === 'single'
      return withStore(features, async (store) => {
        const rows = await store.list({
          ...{ ...options, singleToken },
          descending: options.sort !== 'id' && !ascending,
        })
        const ids = rows.map(({ feature }) => feature)
        const names = firstTexts(await explanationsOf(command, features, ids))
        const named = rows.map((row) => ({ ...row, explanation: names.get(row.feature) ?? null }))
        return {
          json: named as unknown as Json,
          text: renderFeatureList(rows, renderOptions(session, store), names),
        }
      })
    },
  )
  addOptionalPaths(addPaths(command, ['features']), ['explanations'])
  addFlags(command, listSchema)
}

function addShow(features: Command): void {
  const command = addCommand(
    features,
    'show',
    {
      description:
        'Show one or more features: figures, logit weights, and text with the tokens shaded by activation; ' +
        'with explanations, nearest features and effects of ablation where the run has them.',
      example: 'monosem features show 17 42 --run runs/demo',
    },
    async (session, command) => {
      const { features } = readPaths(command, ['features'])
      return withStore(features, async (store) => {
        const details = await store.getMany(command.args.map(featureId))
        const ids = details.map(({ feature }) => feature)
        const findings = await findingsOf(command, features, ids)
        const texts = details.map((detail) =>
          renderFeature(detail, renderOptions(session, store), undefined, findings.get(detail.feature)),
        )
        const json = details.map((detail) => withFindings(detail, findings.get(detail.feature)))
        return { json: json as unknown as Json, text: texts.join('\n\n') }
      })
    },
  )
  addPaths(command.argument('<id...>', 'numbers of the features'), ['features'])
  addOptionalPaths(command, ['feature-map', 'ablation', 'explanations'])
}

/** A feature and all that was found out about it, for programs: null or an empty list where nothing was. */
const withFindings = (detail: FeatureDetail, findings?: Findings) => ({
  ...detail,
  explanations: findings?.explained ?? [],
  cluster: findings?.place?.cluster ?? null,
  neighbours: (findings?.place?.neighbours ?? []).map((neighbour) => ({
    ...neighbour,
    explanation: findings?.names?.get(neighbour.feature) ?? null,
  })),
  effects: findings?.effects ?? [],
})

/**
 * Short views of three features, for the end of the demo: those asked for, then strong ones, best active on less than 1% of the tokens.
 */
export async function showFeatures(
  session: Session,
  directory: string,
  wanted: readonly number[],
): Promise<{ ids: number[]; text: string }> {
  return withStore(directory, async (store) => {
    const strong = [
      ...(await store.list({ sort: 'max', maxDensity: 0.01, limit: 3 })),
      ...(await store.list({ sort: 'max', limit: 3 })),
    ].filter(({ fires }) => fires > 0)
    const ids = [...new Set([...wanted, ...strong.map(({ feature }) => feature)])].slice(0, 3)
    const details = await Promise.all(ids.map((id) => store.get(id)))
    const limits = { top: 4, perInterval: 0 }
    const texts = details.map((detail) => renderFeature(detail, renderOptions(session, store), limits))
    return { ids, text: texts.join('\n\n') }
  })
}

const renderOptions = (session: Session, { tokenizer, summary }: FeatureStore): RenderOptions => ({
  tokenizer,
  color: session.color,
  width: session.width,
  hookName: summary.hookName,
  intervals: summary.intervals,
})

async function withStore<T>(directory: string, use: (store: FeatureStore) => Promise<T>): Promise<T> {
  const store = await openFeatureStore(directory)
  try {
    return await use(store)
  } finally {
    store.close()
  }
}
