import type { StageContext } from '../progress/progress.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { sha256 } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import { collectEvidence, type Evidence, type EvidenceRequest } from './collect-evidence.js'
import { checkExplainer, createExplainer, type ExplainerSetup } from './create-explainer.js'
import { evidenceConfigSchema } from './evidence-config.js'
import { type ChunkOptions, explainChunk } from './explain-chunk.js'
import type { ExplainConfig } from './explain-config.js'
import { type ExplainReport, explainReport } from './explain-report.js'
import type { ExplanationStore } from './explanations.js'
import { readFeatureList } from './feature-list.js'
import type { LlmUsage } from './llm/llm-usage.js'
import { type MeanInterval, meanInterval } from './mean-interval.js'
import { scorePrediction } from './statistics/predicted-score.js'
import { shortenExamples } from './statistics/shorten-examples.js'
import {
  createStatisticsExplainer,
  type StatisticsExplainer,
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
 * @throws MonosemError config (explainer, scorers, features, budget), missing, remote, interrupted, busy
 */
export async function explainFeatures(
  config: ExplainConfig,
  inputs: ExplainInputs,
  store: ExplanationStore,
  context: StageContext,
): Promise<ExplainReport & { made: number; usage: LlmUsage | null }> {
  checkExplainer(config.explainer, config.scorers, config)
  const asked = readFeatureList(config.features, inputs.sae.features)
  const configuration = configurationOf(config)
  const everything = { explainer: config.explainer, configuration, limit: 2 ** 31 - 1 }
  const done = new Map((await store.list(everything)).map(({ feature, text }) => [feature, text]))
  const noteKey = `${config.explainer} ${configuration}`
  let note = (await store.note(noteKey)) as unknown as RunNote | null
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
    const work = { ...(await prepare(config, inputs, evidence, configuration, context)), earlier: done }
    note = {
      neurons: meanInterval([...work.neuronScores.values()]),
      dropped: [
        ...(note?.dropped ?? []),
        ...evidence.features.dropped
          .filter(({ id }) => !dropped.has(id))
          .map(({ id, reason }) => ({ id, reason })),
      ],
    }
    await store.keepNote(noteKey, note as unknown as Json)
    failed = await explainAll(config, work, store, context)
    usage = config.explainer === 'statistics' ? null : work.setup.usage()
  }
  const wanted = new Set(asked)
  const explained = await store.list(everything)
  return {
    ...explainReport(
      config.explainer,
      explained.filter(({ feature }) => wanted.has(feature)),
      { dropped: note.dropped.filter(({ id }) => wanted.has(id)), failed },
      note.neurons,
    ),
    made: explained.filter(({ feature }) => wanted.has(feature) && !done.has(feature)).length,
    usage,
  }
}

/** Everything that decides what an explanation and its scores are, as one hash. */
function configurationOf(config: ExplainConfig): string {
  const { features, ...rest } = config
  const { baseUrl, concurrency, timeout, retries, backoff, cacheDirectory, ...deciding } = rest
  const { maxTokensBudget, maxCost, inputPrice, outputPrice, ...kept } = deciding
  return sha256(JSON.stringify(kept)).slice(0, 16)
}

async function prepare(
  config: ExplainConfig,
  inputs: ExplainInputs,
  evidence: Evidence,
  configuration: string,
  context: StageContext,
): Promise<Omit<ChunkOptions, 'earlier'> & { setup: ExplainerSetup }> {
  const { predictTokens, seed, scorers, intervals } = config
  const { tokenizer } = inputs.corpus
  const shortened = await shortenExamples(evidence, inputs, context)
  const setup = createExplainer(config.explainer, {
    tokenizer,
    evidence: evidence.features,
    scorers,
    llm: config,
    intervals,
    predictTokens,
    seed,
    shortened: shortened.features,
  })
  const statistics = createStatisticsExplainer({
    tokenizer,
    statistics: evidence.features.statistics,
    shortened: shortened.features,
    predictTokens,
  })
  return {
    setup,
    evidence,
    statistics,
    neuronScores: await scoreNeurons(
      evidence,
      { tokenizer, predictTokens, shortened: shortened.neurons },
      context,
    ),
    configuration,
    predictTokens,
    signal: context.signal,
  }
}

/** The Spearman score of every neuron, explained by statistics. */
async function scoreNeurons(
  { neurons }: Evidence,
  options: Omit<StatisticsExplainerOptions, 'statistics'>,
  context: StageContext,
): Promise<Map<number, number | null>> {
  const scores = new Map<number, number | null>()
  if (neurons === null) return scores
  const explainer: StatisticsExplainer = createStatisticsExplainer({
    ...options,
    statistics: neurons.statistics,
  })
  const task = context.progress.start('explain neurons', neurons.ids.length, 'neurons')
  for (const id of neurons.ids) {
    throwIfInterrupted(context.signal)
    const unit = neurons.get(id)
    const [spearman] = scorePrediction(await explainer.explain(unit), unit, options.predictTokens)
    scores.set(id, spearman.value)
    task.update(scores.size)
    if (scores.size % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  task.end()
  return scores
}

/** Features explained together: one append to the store, and each other's control. */
const chunkSizes = { statistics: 128, asking: 8 }

async function explainAll(
  config: ExplainConfig,
  work: ChunkOptions,
  store: ExplanationStore,
  context: StageContext,
): Promise<{ feature: number; reason: string }[]> {
  const { ids } = work.evidence.features
  const size = config.explainer === 'statistics' ? chunkSizes.statistics : chunkSizes.asking
  const failed: { feature: number; reason: string }[] = []
  const task = context.progress.start('explain features', ids.length, 'features')
  for (const chunk of chunksOf(ids, size)) {
    throwIfInterrupted(context.signal)
    if (chunk.every((id) => work.earlier.has(id))) continue
    const result = await explainChunk(chunk, work)
    if (result.explained.length > 0) await store.append(result.explained)
    failed.push(...result.failed)
    if (result.stopped) throw result.stopped
    task.update(ids.indexOf(chunk[chunk.length - 1]) + 1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  task.end()
  return failed
}

/** Chunks of consecutive features; one that would be left alone, without a control, goes with those before it. */
function chunksOf(ids: readonly number[], size: number): number[][] {
  const chunks: number[][] = []
  for (let first = 0; first < ids.length; ) {
    const end = ids.length - first - size <= 1 ? ids.length : first + size
    chunks.push(ids.slice(first, end))
    first = end
  }
  return chunks
}
