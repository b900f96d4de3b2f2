import type { Kernels } from '../../src/kernels/kernels.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import type { SaeConfig } from '../../src/sae/sae-config.js'
import { syntheticPairs, syntheticSource } from '../sae/synthetic-source.js'

/** One training of test/distributed/programs/train.ts. */
export interface TrainJob {
  /** directory to write */
  out: string
  config: SaeConfig
  /** trained on the same stream */
  also?: { out: string; config: SaeConfig }
  featureRanks: number
  gradients?: 'f32' | 'bf16'
  /** a rank that is told to stop, before which batch */
  stop?: { rank: number; batch: number }
  /** a rank that dies, before which batch */
  kill?: { rank: number; batch: number }
  /** a rank whose parameters hold NaN after the last step */
  spoil?: { rank: number }
}

/** What a rank has in the end. */
export interface RankState {
  featureRank: number
  dataRank: number
  notes: string[]
  /** what ended it early, or null */
  error: string | null
  /** SHA-256 of what all ranks have alike after the last step; absent where that was not reached */
  shared?: string
  /** SHA-256 of the parameters and moments of this rank's features */
  own?: string
}

/** What all tests of training on several ranks train on; pairs where a transcoder is asked for. */
export function smallSource(kernels: Kernels, config: SaeConfig): ActivationSource {
  const options = { d: 12, features: 24, density: 0.08, seed: 2 }
  return config.targetHookName === undefined
    ? syntheticSource(kernels, { ...options, bias: 0.3 })
    : syntheticPairs(kernels, { ...options, dOut: 10, linear: 0.5 })
}

/** Calls back before batch `index` is given out. */
export const watched = (source: ActivationSource, index: number, callback: () => void): ActivationSource => ({
  ...source,
  async *batches(options) {
    let i = options.skip
    for await (const batch of source.batches(options)) {
      if (i++ === index) callback()
      yield batch
    }
  },
})
