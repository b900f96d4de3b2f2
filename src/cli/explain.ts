import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { singleRank } from '../distributed/communicator.js'
import { MonosemError } from '../errors/monosem-error.js'
import { loadInputs } from '../eval/eval-stage.js'
import { checkExplainer } from '../explain/create-explainer.js'
import type { FeatureEvidence } from '../explain/evidence.js'
import { type ExplainConfig, explainConfigSchema } from '../explain/explain-config.js'
import { explainFeatures } from '../explain/explain-features.js'
import type { ExplainReport } from '../explain/explain-report.js'
import { openExplanations } from '../explain/explanations.js'
import { readFeatureList } from '../explain/feature-list.js'
import { describeUsage } from '../explain/llm/llm-usage.js'
import { nearestFeatures } from '../explain/nearest-features.js'
import { renderExplainReport } from '../explain/render-explain.js'
import { type LogitWeight, openFeatureStore } from '../features/feature-store.js'
import { type LogitEnds, logitEnds } from '../features/logit-weights.js'
import type { Json } from '../storage/stage.js'
import { renderTable } from '../terminal/table.js'
import { addCommand } from './command.js'
import { addPaths, addRunArgument, readPaths } from './run-paths.js'
import type { Session } from './session.js'
import type { ExplainSummary } from './summary.js'

/** `monosem explain`, and `monosem explanations list` and `add` */
export function addExplain(program: Command): void {
  const command = addCommand(
    program,
    'explain',
    {
      description:
        'Explain features in short English and score the explanations on held-out text, beside neurons and shuffled explanations. ' +
        'What is done already with the same options is not done again.',
      example: 'monosem explain runs/demo --features 0-499 --explainer statistics',
      ranks: true,
    },
    async (session, command) => {
      const paths = explainPaths(command)
      const report = await explainRun(session, readFlags(command, explainConfigSchema), paths)
      const { usage, ...json } = report
      const used = usage === null ? [] : [describeUsage(usage)]
      return {
        json: { ...json, usage } as unknown as Json,
        text: [renderExplainReport(report, { width: session.width }), ...used].join('\n\n'),
      }
    },
  )
  addPaths(addRunArgument(command), [...(['corpus', 'model', 'sae', 'features', 'explanations'] as const)])
  addFlags(command, explainConfigSchema)
  const explanations = program.command('explanations').description('explanations of features that were kept')
  addList(explanations)
  addAdd(explanations)
}

/** Directories that explaining reads, and the one where explanations are kept. */
export interface ExplainPaths {
  corpus: string
  model: string
  sae: string
  features: string
  explanations: string
}

function explainPaths(command: Command): ExplainPaths {
  takeRun(command, 0)
  const paths = readPaths(command, ['corpus', 'model', 'sae', 'explanations'])
  return { ...paths, features: featuresPath(command, paths.explanations) }
}

/** A run directory may stand at the beginning of the arguments. */
function takeRun(command: Command, at: number): void {
  if (command.args[at] !== undefined) command.setOptionValue('run', command.args[at])
}

const featuresPath = (command: Command, explanations: string): string =>
  command.getOptionValue('featureStore') ??
  join(command.getOptionValue('run') ?? dirname(explanations), 'features')

/** Output tokens kept at each end of a feature's logit weights: the logit test asks about ranks 10 to 60. */
const keptLogits = 60

function logitsOf(
  { k, topTokens, topWeights, bottomTokens, bottomWeights }: LogitEnds,
  feature: number,
): Pick<FeatureEvidence, 'topLogits' | 'bottomLogits'> {
  const ends = (tokens: Int32Array, weights: Float32Array): LogitWeight[] =>
    Array.from({ length: k }, (_, i) => ({
      token: tokens[feature * k + i],
      weight: weights[feature * k + i],
    }))
  return { topLogits: ends(topTokens, topWeights), bottomLogits: ends(bottomTokens, bottomWeights) }
}

/** Explains features of a run. */
export async function explainRun(
  session: Session,
  config: ExplainConfig,
  paths: ExplainPaths,
): Promise<Awaited<ReturnType<typeof explainFeatures>>> {
  const { ranks = singleRank } = session.context
  if (ranks.rank === 0) checkExplainer(config.explainer, config.scorers, config)
  const inputs = await loadInputs(paths, await session.kernels())
  const ids = readFeatureList(config.features, inputs.sae.features)
  const store = ranks.rank === 0 ? await openExplanations(paths.explanations, paths.features) : null
  const asks = config.explainer !== 'statistics'
  const compares = config.scorers.some((scorer) => scorer !== 'prediction' && scorer !== 'logit')
  const ends = asks ? await logitEnds(inputs.model, inputs.sae, keptLogits) : null
  const near = compares
    ? await nearestFeatures(inputs.sae, ids, undefined, ranks)
    : new Map<number, number[]>()
  const report = await explainFeatures(
    config,
    {
      ...inputs,
      nearest: (feature) => near.get(feature) ?? [],
      ...(ends && { logits: (feature: number) => logitsOf(ends, feature) }),
    },
    store,
    session.context,
  )
  return report
}

/** The figures of a report that belong into summary.json. */
export const explainSummary = ({ aggregates, counts }: ExplainReport): ExplainSummary => ({
  explained: counts.explained,
  spearman: aggregates.features.mean,
  spearmanWithoutSingleToken: aggregates.withoutSingleToken.mean,
  singleTokenFeatures: aggregates.singleToken.n,
  bestNeuronSpearman: aggregates.bestNeuron.mean,
  neuronSpearman: aggregates.neurons.mean,
  shuffledSpearman: aggregates.shuffled.mean,
})

const listSchema = z.object({
  feature: z.int().min(0).optional().describe('only those of one feature'),
  explainer: z.string().optional().describe('only those of one explainer, or user'),
  text: z.string().optional().describe('only those that contain these words'),
  limit: z.int().min(0).default(20).describe('explanations to list'),
  offset: z.int().min(0).default(0).describe('explanations to leave out at the start'),
})

function addList(explanations: Command): void {
  const command = addCommand(
    explanations,
    'list',
    {
      description: 'List explanations that were kept, newest first.',
      example: 'monosem explanations list --run runs/demo --text digits',
    },
    async (_, command) => {
      const { explanations } = readPaths(command, ['explanations'])
      const store = await openExplanations(explanations, featuresPath(command, explanations))
      const found = await store.list(readFlags(command, listSchema))
      const rows = found.map(({ feature, text, explainer, created, scores }) => [
        String(feature),
        text,
        explainer,
        scores.find(({ scorer }) => scorer === 'spearman')?.value?.toFixed(2) ?? '–',
        created.slice(0, 16).replace('T', ' '),
      ])
      const columns = [
        { heading: 'feature' },
        { heading: 'explanation', align: 'left' as const },
        { heading: 'by', align: 'left' as const },
        { heading: 'Spearman' },
        { heading: 'written (UTC)', align: 'left' as const },
      ]
      return {
        json: found as unknown as Json,
        text: found.length > 0 ? renderTable(columns, rows) : 'no explanations',
      }
    },
  )
  addStorePaths(command)
  addFlags(command, listSchema)
}

function addAdd(explanations: Command): void {
  const command = addCommand(
    explanations,
    'add',
    {
      description: 'Keep your own explanation of a feature.',
      example: "monosem explanations add 17 'Arabic script' --run runs/demo",
    },
    async (_, command) => {
      const [id, text] = command.args
      const { explanations } = readPaths(command, ['explanations'])
      const features = featuresPath(command, explanations)
      const [feature] = await checkedFeature(features, id)
      if (text.trim() === '')
        throw new MonosemError('config', 'explanations add: expected a text, got nothing')
      const store = await openExplanations(explanations, features)
      const added = { feature, text: text.trim(), explainer: 'user' }
      await store.append([{ ...added, configuration: null, examples: null, scores: [] }])
      return { json: added, text: `feature ${feature}: ${added.text}` }
    },
  )
  addStorePaths(command.argument('<feature>', 'its number').argument('<text>', 'what it responds to'))
}

function addStorePaths(command: Command): void {
  addPaths(command, ['features', 'explanations'])
}

async function checkedFeature(features: string, id: string): Promise<number[]> {
  const store = await openFeatureStore(features)
  try {
    return readFeatureList([id], store.summary.features)
  } finally {
    store.close()
  }
}
