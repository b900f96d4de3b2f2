import { shouldStop } from '../distributed/agree.js'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { gatherValues } from '../distributed/values.js'
import { interrupted, type StageContext } from '../progress/progress.js'
import type { ExplainerSetup } from './create-explainer.js'
import { type ChunkOptions, type ChunkResult, explainChunk } from './explain-chunk.js'
import type { ExplainConfig } from './explain-config.js'
import type { ExplanationStore } from './explanations.js'

/** How many ranks explain: language models are asked by rank 0 alone, so that limits of tokens and cost hold for the job. */
export const explainingRanks = ({ explainer }: ExplainConfig, ranks: Communicator): number =>
  explainer === 'statistics' ? ranks.size : 1

/** Features explained together: one append to the store, and each other's control. */
const chunkSizes = { statistics: 128, asking: 8 }

/**
 * Explains chunk after chunk, each explaining rank one at a time. No rank goes ahead of what is kept: that would cost calls to a language model.
 * @returns what failed, on rank 0
 */
export async function explainAll(
  config: ExplainConfig,
  work: Omit<ChunkOptions, 'setup'> & { setup: ExplainerSetup | null },
  store: ExplanationStore | null,
  { ranks = singleRank, signal, progress }: StageContext,
): Promise<{ feature: number; reason: string }[]> {
  const { ids } = work.evidence.features
  const size = config.explainer === 'statistics' ? chunkSizes.statistics : chunkSizes.asking
  const left = chunksOf(ids, size).filter((chunk) => !chunk.every((id) => work.earlier.has(id)))
  const atOnce = explainingRanks(config, ranks)
  const failed: { feature: number; reason: string }[] = []
  const task = progress.start('explain features', ids.length, 'features')
  for (let first = 0; first < left.length; first += atOnce) {
    if (await shouldStop(ranks, signal)) throw interrupted()
    const { setup } = work
    const chunk = setup && left[first + ranks.rank]
    const { stopped, ...made } = chunk ? await explainChunk(chunk, { ...work, setup }) : nothingMade
    const all = (await gatherValues(ranks, made)) ?? []
    for (const one of all) {
      if (one.explained.length > 0) await store?.append(one.explained)
      failed.push(...one.failed)
    }
    if (stopped) throw stopped
    const done = left[Math.min(first + atOnce, left.length) - 1]
    task.update(ids.indexOf(done[done.length - 1]) + 1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  task.end()
  return failed
}

const nothingMade: ChunkResult = { explained: [], failed: [], stopped: null }

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
