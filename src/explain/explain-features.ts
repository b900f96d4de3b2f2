import { singleRank } from '../distributed/communicator.js'
import { onFirstRank } from '../distributed/on-first-rank.js'
import type { StageContext } from '../progress/progress.js'
import { sha256 } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import { collectEvidence, type Evidence, type EvidenceRequest } from './collect-evidence.js'
import { checkExplainer, createExplainer, type ExplainerSetup } from './create-explainer.js'
import { evidenceConfigSchema } from './evidence-config.js'
import type { ChunkOptions } from './explain-chunk.js'
import { explainAll, explainingRanks } from './explain-chunks.js'
import type { ExplainConfig } from './explain-config.js'
import { type ExplainReport, explainReport } from './explain-report.js'
import type { ExplanationStore } from './explanations.js'
import { readFeatureList } from './feature-list.js'
import type { LlmUsage } from './llm/llm-usage.js'
import { type MeanInterval, meanInterval } from './mean-interval.js'
import { scoreNeurons } from './score-neurons.js'
import { shortenExamples } from './statistics/shorten-examples.js'
import {
  createStatisticsExplainer,
  type StatisticsExplainerOptions,
} from './statistics/statistics-explainer.js'

export type ExplainInputs = Pick<EvidenceRequest, 'model' | 'sae' | 'corpus' | 'logits' | 'nearest'>

/** What the store keeps of a run beside its explanations. */
interface RunNote {
  neurons: MeanInterval
  dropped: { id: number; reason: 'dead' | 'rare' }[]
}

/** What was made of features earlier, with the same configuration; nothing is computed. @throws MonosemError config, missing, busy */
export async function readExplainReport(
  config: ExplainConfig,
  features: number,
  store: ExplanationStore,
): Promise<ExplainReport> {
  const wanted = new Set(readFeatureList(config.features, features))
  const configuration = configurationOf(config)
  const note = (await store.note(`${config.explainer} ${configuration}`)) as unknown as RunNote | null
  const found = await store.list({ explainer: config.explainer, configuration, limit: 2 ** 31 - 1 })
  return explainReport(
    config.explainer,
    found.filter(({ feature }) => wanted.has(feature)),
    { dropped: note?.dropped.filter(({ id }) => wanted.has(id)) ?? [], failed: [] },
    note?.neurons ?? meanInterval([]),
  )
}

/**
 * Explains and scores features, each beside its baselines, and keeps what it makes. Features that the same explainer has done with the same
 * configuration are not done again. When it stops half-way (budget, Ctrl-C), what was made is kept.
 *
 * The ranks of `context` share the passes over text, and statistics share the features; rank 0 keeps what all of them make, in the order of one rank.
 * @param store of rank 0; the others give null, and all return the same
 * @throws MonosemError config (explainer, scorers, features, budget), missing, remote, interrupted, busy
 */
export async function explainFeatures(
  config: ExplainConfig,
  inputs: ExplainInputs,
  store: ExplanationStore | null,
  context: StageContext,
): Promise<ExplainReport & { made: number; usage: LlmUsage | null }> {
  const { ranks = singleRank } = context
  const explains = ranks.rank < explainingRanks(config, ranks)
  if (explains) checkExplainer(config.explainer, config.scorers, config)
  const asked = readFeatureList(config.features, inputs.sae.features)
  const configuration = configurationOf(config)
  const everything = { explainer: config.explainer, configuration, limit: 2 ** 31 - 1 }
  const noteKey = `${config.explainer} ${configuration}`
  const withStore = <T>(use: (store: ExplanationStore) => Promise<T>): Promise<T> =>
    onFirstRank(ranks, () => use(store as ExplanationStore))
  const earlier = await withStore(async (store) => ({
    texts: new Map((await store.list(everything)).map(({ feature, text }) => [feature, text])),
    note: (await store.note(noteKey)) as unknown as RunNote | null,
  }))
  const done = earlier.texts
  let { note } = earlier
  const dropped = new Set(note?.dropped.map(({ id }) => id))
  const left = asked.filter((id) => !done.has(id) && !dropped.has(id))
  let failed: { feature: number; reason: string }[] = []
  let usage: LlmUsage | null = null
  if (left.length > 0 || note === null) {
    const evidence = await collectEvidence(
      evidenceConfigSchema.parse(config),
      // Of all that is asked for, done or not: tables share their room, and controls their partners.
      { ...inputs, features: asked, neurons: true },
      context,
    )
    const baselines = await prepare(config, inputs, evidence, context)
    const made: RunNote = {
      neurons: meanInterval([...baselines.neuronScores.values()]),
      dropped: [
        ...(note?.dropped ?? []),
        ...evidence.features.dropped
          .filter(({ id }) => !dropped.has(id))
          .map(({ id, reason }) => ({ id, reason })),
      ],
    }
    note = made
    await withStore((store) => store.keepNote(noteKey, made as unknown as Json))
    const setup = explains ? createSetup(config, inputs, baselines) : null
    failed = await explainAll(config, { ...baselines, setup, configuration, earlier: done }, store, context)
    usage = config.explainer === 'statistics' ? null : (setup?.usage() ?? null)
  }
  const wanted = new Set(asked)
  const { dropped: without, neurons } = note
  return withStore(async (store) => {
    const explained = (await store.list(everything)).filter(({ feature }) => wanted.has(feature))
    const missing = { dropped: without.filter(({ id }) => wanted.has(id)), failed }
    return {
      ...explainReport(config.explainer, explained, missing, neurons),
      made: explained.filter(({ feature }) => !done.has(feature)).length,
      usage,
    }
  })
}

/** Everything that decides what an explanation and its scores are, as one hash. */
function configurationOf(config: ExplainConfig): string {
  const { features, ...rest } = config
  const { baseUrl, concurrency, timeout, retries, backoff, cacheDirectory, ...deciding } = rest
  const { maxTokensBudget, maxCost, inputPrice, outputPrice, ...kept } = deciding
  return sha256(JSON.stringify(kept)).slice(0, 16)
}

/** What explanations are held against, and what goes into them beside the evidence. */
interface Baselines
  extends Pick<ChunkOptions, 'evidence' | 'statistics' | 'neuronScores' | 'predictTokens' | 'signal'> {
  shortened: StatisticsExplainerOptions['shortened']
}

async function prepare(
  { predictTokens }: ExplainConfig,
  inputs: ExplainInputs,
  evidence: Evidence,
  context: StageContext,
): Promise<Baselines> {
  const { tokenizer } = inputs.corpus
  const shortened = await shortenExamples(evidence, inputs, context)
  const statistics = createStatisticsExplainer({
    tokenizer,
    statistics: evidence.features.statistics,
    shortened: shortened.features,
    predictTokens,
  })
  return {
    evidence,
    statistics,
    neuronScores: await scoreNeurons(
      evidence,
      { tokenizer, predictTokens, shortened: shortened.neurons },
      context,
    ),
    shortened: shortened.features,
    predictTokens,
    signal: context.signal,
  }
}

function createSetup(
  config: ExplainConfig,
  inputs: ExplainInputs,
  { evidence, shortened }: Baselines,
): ExplainerSetup {
  const { predictTokens, seed, scorers, intervals } = config
  return createExplainer(config.explainer, {
    tokenizer: inputs.corpus.tokenizer,
    evidence: evidence.features,
    scorers,
    llm: config,
    intervals,
    predictTokens,
    seed,
    shortened,
  })
}
