import { join, relative, resolve } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import type { StageContext } from '../progress/progress.js'
import { loadSae } from '../sae/sae.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { measureSplitting } from './splitting.js'
import type { SplittingConfig } from './splitting-config.js'
import { writeSplitting } from './splitting-file.js'
import { splittingReport } from './splitting-report.js'

/** The finished directories that `splitting` reads, and where it writes. */
export interface SplittingPaths {
  corpus: string
  model: string
  /** of one hook point and of growing size, in any order; `explanations` of its features, by id, where there are any */
  saes: readonly { directory: string; explanations?: ReadonlyMap<number, string> }[]
  out: string
}

/**
 * Runs the `splitting` stage: splitting.json, features.parquet and report.html. It keeps no checkpoint: when interrupted it starts over.
 * @throws MonosemError config, shape, missing, corrupt, diverged, io, interrupted
 */
export async function runSplittingStage(
  config: SplittingConfig,
  { corpus, model, saes, out }: SplittingPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const inputs: Record<string, string> = { corpus, model }
  // The order in which they were named makes no other stage.
  const ordered = saes.toSorted((a, b) => (resolve(a.directory) < resolve(b.directory) ? -1 : 1))
  ordered.forEach(({ directory }, i) => {
    inputs[`sae-${i}`] = directory
  })
  return runStage(
    { stage: 'splitting', out, config: { ...config }, inputs, seed: config.seed },
    async (partial) => {
      const opened = await openModelAndCorpus(context.kernels, { corpus, model })
      const dictionaries = []
      for (const { directory, explanations } of ordered)
        dictionaries.push({
          sae: await loadSae(context.kernels, directory),
          directory: relative(resolve(out), resolve(directory)),
          explanations,
        })
      const splitting = await measureSplitting(config, { ...opened, dictionaries }, context)
      await writeSplitting(partial, splitting)
      await writeFileAtomic(join(partial, 'report.html'), await splittingReport(splitting))
    },
  )
}
