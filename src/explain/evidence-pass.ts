import type { TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { singleRank } from '../distributed/communicator.js'
import { type EncodedBatch, encodedWindows } from '../eval/encoded-windows.js'
import { sampleWindows } from '../eval/sample-windows.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import {
  addCandidates,
  type Candidates,
  createCandidates,
  topTokenWatchers,
  unitArrays,
} from './candidates.js'
import type { EvidenceConfig, ExampleCounts } from './evidence-config.js'
import { addCorrelation, type NeuronCorrelation } from './neuron-correlation.js'
import { ownCodes, ownUnits, shareUnits } from './own-units.js'
import { finishStatistics } from './text-statistics.js'

/** Units of one kind on their way through a text. */
export interface UnitGroup {
  /** ascending */
  ids: readonly number[]
  /** codes of these units in a batch */
  codes(encoded: EncodedBatch): EncodedBatch
  /** units that have a feature among their nearest ones, by feature; units are places in `ids` */
  near: ReadonlyMap<number, readonly number[]>
}

export interface PassOptions {
  model: Transformer
  sae: Sae
  tokenizer: Pick<Tokenizer, 'vocabularySize' | 'startOfText' | 'tokenBytes'>
  split: TokenSplit
  /** size of the sample */
  tokens: number
  groups: readonly UnitGroup[]
  counts: ExampleCounts
  config: EvidenceConfig
  /** candidates of an earlier pass over other text, whose top tokens are watched for; without, this pass also learns the statistics of tokens */
  earlier?: readonly Candidates[]
  /** where to add how the first group's units go with the neurons */
  correlation?: NeuronCorrelation | null
}

/** Which feature goes with which neuron is asked of every eighth batch: it costs as much as D activations for each active feature. */
const correlatedBatches = 8

/**
 * One pass over a sample of a split: the candidates of each group. The ranks of `context` share the windows and the units, and all get all.
 * @throws MonosemError missing (too little text), interrupted
 */
export async function passOver(options: PassOptions, context: StageContext): Promise<Candidates[]> {
  const { model, sae, split, groups, config, tokenizer, earlier } = options
  const { startOfText } = tokenizer
  const contextSize = model.config.context
  const windows = sampleWindows(split, contextSize, options.tokens)
  const { ranks = singleRank } = context
  const shape = { contextSize, before: config.contextBefore, after: config.contextAfter, startOfText }
  const candidates = groups.map(({ ids, near }, i) =>
    createCandidates({
      kernels: model.kernels,
      split,
      windows,
      shape,
      ids: Int32Array.from(ids),
      own: ownUnits(ranks, ids.length),
      counts: options.counts,
      seed: config.seed,
      ...(earlier ? { watchers: topTokenWatchers(earlier[i]), near } : { tokenizer }),
    }),
  )
  const task = context.progress.start(
    `examples of ${split.name} text`,
    windows.length * contextSize,
    'tokens',
  )
  const source = { model, sae, split, startOfText, windows, batchWindows: config.batchWindows, ranks }
  let done = 0
  let batch = 0
  for await (const encoded of encodedWindows({ ...source, withActivations: groups.length > 1 })) {
    throwIfInterrupted(context.signal)
    // Top tokens that no earlier pass has found are learnt from the first half of the text and watched for in the second.
    if (!earlier && done < windows.length / 2 && done + encoded.windows.length >= windows.length / 2)
      for (const one of candidates) one.watchers = topTokenWatchers(one)
    groups.forEach((group, i) => {
      addCandidates(candidates[i], group.codes(encoded), encoded)
    })
    if (options.correlation && batch++ % correlatedBatches === 0)
      addCorrelation(options.correlation, {
        ...encoded,
        codes: ownCodes(candidates[0].own, groups[0].codes(encoded).codes),
      })
    done += encoded.windows.length
    task.update(done * contextSize)
  }
  for (const one of candidates) {
    if (one.statistics) one.tables = await finishStatistics(one.statistics, one.units)
    await shareUnits(ranks, one.units, unitArrays(one))
  }
  if (options.correlation) {
    const { featureSum, product } = options.correlation
    await shareUnits(ranks, candidates[0].units, [featureSum, product])
  }
  task.end()
  return candidates
}
