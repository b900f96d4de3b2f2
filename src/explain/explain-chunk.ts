import { MonosemError } from '../errors/monosem-error.js'
import { sha256 } from '../storage/atomic-file.js'
import type { Evidence } from './collect-evidence.js'
import type { ExplainerSetup } from './create-explainer.js'
import type { Explanation, FeatureEvidence, Score, ScoredExample } from './evidence.js'
import type { NewExplanation } from './explanations.js'
import { unpredictedExamples } from './scored-examples.js'
import { noScore } from './scorers/score-of.js'
import { scorePrediction } from './statistics/predicted-score.js'
import type { StatisticsExplainer } from './statistics/statistics-explainer.js'

/** What explaining some features takes. */
export interface ChunkOptions {
  setup: ExplainerSetup
  evidence: Evidence
  /** the baseline beside every explainer, and what explains neurons */
  statistics: StatisticsExplainer
  /** text of a feature that was explained by an earlier run with the same configuration, by its number */
  earlier: ReadonlyMap<number, string>
  /** Spearman score of each neuron */
  neuronScores: ReadonlyMap<number, number | null>
  configuration: string
  predictTokens: number
  signal?: AbortSignal
}

export interface ChunkResult {
  explained: NewExplanation[]
  /** features without an explanation, and why */
  failed: { feature: number; reason: string }[]
  /** what stopped the work before its end; what is explained is whole all the same */
  stopped: unknown
}

/**
 * Explains and scores some features, each beside its baselines: the neuron that goes with it most, the statistics explainer, and the explanation of
 * another feature of the chunk (`shuffled`). Features that are explained already only lend their explanation, so that a run that was
 * broken off ends with the same controls as one that was not.
 * @param ids all features of the chunk, explained already or not
 */
export async function explainChunk(ids: readonly number[], options: ChunkOptions): Promise<ChunkResult> {
  const { evidence, earlier } = options
  const result: ChunkResult = { explained: [], failed: [], stopped: null }
  const made = new Map<number, Explanation>()
  const units = new Map(ids.map((id) => [id, evidence.features.get(id)]))
  const attempt = async (feature: number, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (error instanceof MonosemError && error.code === 'remote')
        result.failed.push({ feature, reason: error.message })
      else result.stopped ??= error
    }
  }
  await Promise.all(
    ids.map((id) =>
      attempt(id, async () => {
        made.set(id, await explanationOf(units.get(id) as FeatureEvidence, options))
      }),
    ),
  )
  const failed = new Set(result.failed.map(({ feature }) => feature))
  await Promise.all(
    ids.map((id, i) =>
      attempt(id, async () => {
        const own = made.get(id)
        if (own === undefined || earlier.has(id)) return
        const partner = ids[(i + Math.ceil(ids.length / 2)) % ids.length]
        const other = partner === id ? null : (made.get(partner) ?? null)
        // The work was stopped before the partner's turn: the feature is left to the next run.
        if (partner !== id && other === null && !failed.has(partner)) return
        const pair = { own, other, otherMax: (units.get(partner) as FeatureEvidence).max }
        result.explained.push(await scoreOne(units.get(id) as FeatureEvidence, pair, options))
      }),
    ),
  )
  result.explained.sort((a, b) => a.feature - b.feature)
  return result
}

/** An explanation that predicts is made again, as it is the same each time; a language model is not asked again. */
async function explanationOf(
  evidence: FeatureEvidence,
  { setup, earlier, signal }: ChunkOptions,
): Promise<Explanation> {
  const text = earlier.get(evidence.feature)
  if (text === undefined || setup.explainer.name === 'statistics')
    return setup.explainer.explain(evidence, signal)
  return { feature: evidence.feature, text, explainer: setup.explainer.name }
}

async function scoreOne(
  evidence: FeatureEvidence,
  { own, other, otherMax }: { own: Explanation; other: Explanation | null; otherMax: number },
  options: ChunkOptions,
): Promise<NewExplanation> {
  const { setup, configuration, signal } = options
  const scores: Score[] = []
  let scored: ScoredExample[] | null = null
  const keep = (examples: ScoredExample[]): void => {
    scored = examples
  }
  for (const scorer of setup.scorers) scores.push(...(await scorer.score(own, evidence, signal, keep)))
  const baselines = [
    await shuffledScore(evidence, other, otherMax, options),
    neuronScore(evidence.feature, options),
    ...(own.explainer === 'statistics' ? [] : [await statisticsScore(evidence, options)]),
  ]
  return {
    feature: own.feature,
    text: own.text,
    explainer: own.explainer,
    configuration,
    examples: sha256(JSON.stringify(evidence.score)),
    scored: scored ?? unpredictedExamples(evidence, options.predictTokens),
    scores: [...scores, ...baselines].map((score) => ({
      ...score,
      details: { ...score.details, singleToken: Number(evidence.singleToken) },
    })),
  }
}

/** How well the explanation of another feature predicts this one: what a score has to be better than. */
async function shuffledScore(
  evidence: FeatureEvidence,
  other: Explanation | null,
  otherMax: number,
  { setup, predictTokens, signal }: ChunkOptions,
): Promise<Score> {
  if (other === null) return noScore('shuffled', 'there is no other explanation to hold it against')
  const scorer = setup.scorers.find(({ name }) => name === 'prediction')
  if (!scorer) return noScore('shuffled', 'predictions were not asked for')
  const scores =
    'predict' in other
      ? scorePrediction(other as Parameters<typeof scorePrediction>[0], evidence, predictTokens, otherMax)
      : await scorer.score({ ...other, feature: evidence.feature }, evidence, signal)
  return { ...scores[0], scorer: 'shuffled', details: { ...scores[0].details, feature: other.feature } }
}

/** The score of the neuron that goes with the feature most, explained and scored in the same way as by the statistics explainer. */
function neuronScore(feature: number, { evidence, neuronScores }: ChunkOptions): Score {
  const neuron = evidence.mostCorrelatedNeuron(feature)
  if (neuron === null) return noScore('neuron', 'no neuron goes with it')
  const value = neuronScores.get(neuron) ?? null
  return {
    scorer: 'neuron',
    value,
    reason: value === null ? 'the neuron has no score' : null,
    n: 1,
    details: { neuron },
  }
}

async function statisticsScore(
  evidence: FeatureEvidence,
  { statistics, predictTokens }: ChunkOptions,
): Promise<Score> {
  const [spearman] = scorePrediction(await statistics.explain(evidence), evidence, predictTokens)
  return { ...spearman, scorer: 'statistics' }
}
