import { type Communicator, singleRank } from '../distributed/communicator.js'
import type { Kernels } from '../kernels/kernels.js'
import { badRowsOf } from './bad-activations.js'
import type { Batch } from './batch-stream.js'
import {
  addToVarianceSums,
  columnMeans,
  createVarianceSums,
  explainedVariance,
} from './explained-variance.js'
import { decode, encode, type SaeParts } from './sae.js'

export interface SaeMeasurements {
  tokens: number
  /** mean number of active features per token */
  l0: number
  /** 1 - sum ||y - y_hat||^2 / sum ||y - mean y||^2; NaN where nothing varies */
  explainedVariance: number
  /** [F] share of the tokens on which each feature is active; of a spread autoencoder [Fr], those of this rank */
  frequencies: Float64Array
}

/** Measures an autoencoder on one batch after the other. All figures are the same for scaled and raw activations. */
export interface SaeMeter {
  /** rows with NaN or infinity are left out */
  add(batch: Batch): Promise<void>
  /** tokens so far */
  readonly tokens: number
  result(): SaeMeasurements
}

/**
 * @param sae in the units of the batches
 * @param ranks those that its features are spread over: all of them measure the same batches and find the same, but for `frequencies`
 */
export function createSaeMeter(kernels: Kernels, sae: SaeParts, ranks: Communicator = singleRank): SaeMeter {
  const [features, dOut] = sae.params.wDec.shape
  const counts = new Float64Array(features)
  const variance = createVarianceSums(dOut)
  let centre: Float64Array | undefined
  let active = 0
  return {
    async add({ x, y }) {
      const codes = await encode(sae, x)
      const yHat = kernels.zeros(y.shape)
      decode(sae, yHat, codes, x)
      const [targets, found] = await Promise.all([kernels.readF32(y), kernels.readF32(yHat)])
      kernels.free(yHat)
      const bad = new Set([...badRowsOf(targets, dOut), ...badRowsOf(found, dOut)])
      const good = bad.size === 0 ? targets : targets.filter((_, i) => !bad.has(Math.floor(i / dOut)))
      if (good.length > 0) centre ??= columnMeans(good, dOut)
      let [ownActive, squaredError] = [0, 0]
      for (let n = 0; n < y.shape[0]; n++) {
        if (bad.has(n)) continue
        for (let i = n * dOut; i < (n + 1) * dOut; i++) squaredError += (targets[i] - found[i]) ** 2
        ownActive += codes.rowOffsets[n + 1] - codes.rowOffsets[n]
        for (let i = codes.rowOffsets[n]; i < codes.rowOffsets[n + 1]; i++) counts[codes.featureIds[i]]++
      }
      if (centre) addToVarianceSums(variance, good, squaredError, centre)
      active += (await ranks.sum([ownActive]))[0]
    },
    get tokens() {
      return variance.count
    },
    result() {
      const tokens = variance.count
      return {
        tokens,
        l0: active / tokens,
        explainedVariance: explainedVariance(variance) ?? Number.NaN,
        frequencies: counts.map((count) => count / tokens),
      }
    },
  }
}
