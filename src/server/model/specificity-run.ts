import { measureSpecificity } from '../../interp/measure-specificity.js'
import { specificityConfigSchema } from '../../interp/specificity-config.js'
import { silentProgress } from '../../progress/progress.js'
import type { Specificity, specificityRequestSchema } from '../protocol.js'
import { openConceptLabels } from './concept-labels.js'
import type { Job } from './job-queue.js'
import type { LoadedModel } from './model-runner.js'
import type { SharedCorpusSource } from './shared-corpus.js'

/** Windows of text between two pauses: few, because a text run waits for them. */
const batchWindows = 4

/**
 * Measures how well a feature tracks a concept on the run's text.
 * @throws MonosemError missing (no corpus), config (no such concept, another corpus), interrupted
 */
export async function runSpecificity(
  { model, sae, tokenizer }: LoadedModel,
  source: SharedCorpusSource,
  feature: number,
  { concept, tokens }: ReturnType<typeof specificityRequestSchema.parse>,
  job: Job,
): Promise<Specificity> {
  const labels = await openConceptLabels(concept, source, model.config.context, job.signal)
  try {
    const { corpus } = labels
    const config = specificityConfigSchema.parse({ tokens, batchWindows })
    const context = { progress: silentProgress, signal: job.signal, pause: job.pause }
    const inputs = { model, sae, corpus: { ...corpus, tokenizer } }
    const [found] = await measureSpecificity(config, [feature], labels, inputs, context)
    const { intervals, splits: _, ...figures } = found
    return {
      ...figures,
      source: 'measured',
      levels: intervals.map(({ low, high, within }) => ({
        above: low,
        to: high,
        tokens: within.tokens,
        holds: within.precision,
        logLikelihoodRatio: within.logLikelihoodRatio,
      })),
    }
  } finally {
    await labels.close()
  }
}
