import type { Kernels, SaeTensors } from '../kernels/kernels.js'
import { paramNames } from './sae-params.js'

/**
 * One step of an exponential moving average of the parameters: average += (1 - decay) (params - average). In the first
 * steps the decay is held down to (step + 1) / (step + 10), so that the start values are soon forgotten.
 * @param step 0-based, the one that has just been taken
 */
export function updateAverage(
  kernels: Kernels,
  average: SaeTensors,
  params: SaeTensors,
  decay: number,
  step: number,
): void {
  const weight = 1 - Math.min(decay, (step + 1) / (step + 10))
  for (const name of paramNames(params)) kernels.mixInPlace(average[name]!, params[name]!, weight)
}
