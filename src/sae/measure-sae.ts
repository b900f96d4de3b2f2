import type { Kernels, SaeActivation, SaeTensors } from '../kernels/kernels.js'
import type { BatchStream } from './batch-stream.js'

export interface SaeMeasurements {
  tokens: number
  /** mean number of active features per token */
  l0: number
  /** 1 - sum ||x - x_hat||^2 / sum ||x - mean x||^2 */
  explainedVariance: number
  /** [F] share of the tokens on which each feature is active */
  frequencies: Float64Array
}

/**
 * Measures an autoencoder on at least `tokens` further activations of the training stream (whole batches). All figures are the
 * same for scaled and raw activations.
 */
export async function measureSae(
  kernels: Kernels,
  params: SaeTensors,
  activation: SaeActivation,
  stream: BatchStream,
  tokens: number,
): Promise<SaeMeasurements> {
  const [features, d] = params.wEnc.shape
  const counts = new Float64Array(features)
  const sums = new Float64Array(d)
  let [rows, squares, squaredErrors, active] = [0, 0, 0, 0]
  while (rows < tokens) {
    const x = await stream.next()
    const batchRows = x.shape[0]
    const xHat = kernels.zeros(x.shape)
    const losses = kernels.zeros([batchRows])
    kernels.saeReconstruct(xHat, losses, params, x, activation)
    const codes = await kernels.saeEncode(params, x, activation)
    for (const id of codes.featureIds) counts[id]++
    active += codes.featureIds.length
    for (const loss of await kernels.readF32(losses)) squaredErrors += loss
    const values = await kernels.readF32(x)
    for (let i = 0; i < values.length; i++) {
      sums[i % d] += values[i]
      squares += values[i] * values[i]
    }
    kernels.free(xHat)
    kernels.free(losses)
    rows += batchRows
  }
  const variance = squares - sums.reduce((total, sum) => total + sum ** 2 / rows, 0)
  return {
    tokens: rows,
    l0: active / rows,
    explainedVariance: 1 - squaredErrors / variance,
    frequencies: counts.map((count) => count / rows),
  }
}
