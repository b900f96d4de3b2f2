import { singleRank } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { Evidence } from './collect-evidence.js'
import { scorePrediction } from './statistics/predicted-score.js'
import {
  createStatisticsExplainer,
  type StatisticsExplainerOptions,
} from './statistics/statistics-explainer.js'

/** Neurons that one rank scores at a time. */
const neuronBlock = 16

/** The Spearman score of every neuron, explained by statistics; the ranks of `context` share them, and all get all. */
export async function scoreNeurons(
  { neurons }: Evidence,
  options: Omit<StatisticsExplainerOptions, 'statistics'>,
  context: StageContext,
): Promise<Map<number, number | null>> {
  const scores = new Map<number, number | null>()
  if (neurons === null) return scores
  const { ids, get, statistics } = neurons
  const explainer = createStatisticsExplainer({ ...options, statistics })
  const scoreBlock = async (block: number): Promise<[number, number | null][]> => {
    // a progress bar is drawn, and Ctrl-C heard, between blocks
    await new Promise((resolve) => setImmediate(resolve))
    throwIfInterrupted(context.signal)
    const scored: [number, number | null][] = []
    for (const id of ids.slice(block * neuronBlock, (block + 1) * neuronBlock)) {
      const unit = get(id)
      const [spearman] = scorePrediction(await explainer.explain(unit), unit, options.predictTokens)
      scored.push([id, spearman.value])
    }
    return scored
  }
  const task = context.progress.start('explain neurons', ids.length, 'neurons')
  const { ranks = singleRank } = context
  for await (const scored of inOrder(ranks, Math.ceil(ids.length / neuronBlock), scoreBlock, 'every')) {
    for (const [id, score] of scored) scores.set(id, score)
    task.update(scores.size)
  }
  task.end()
  return scores
}
