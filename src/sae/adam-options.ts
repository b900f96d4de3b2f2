import type { AdamOptions } from '../kernels/kernels.js'
import type { StepPosition } from './architectures/architecture.js'
import type { ResolvedSaeConfig } from './sae-config.js'
import { cosineAtEnd, decayAtEnd, warmUp } from './schedule.js'

/** Falls from 1 to 0 over the last n of `total` steps, by the name of the schedule. */
const decays: Record<
  ResolvedSaeConfig['learningRateSchedule'],
  (step: number, total: number, n: number) => number
> = { linear: decayAtEnd, cosine: cosineAtEnd, constant: () => 1 }

/** Plain Adam (no weight decay) with a linear warm-up and a decay at the end. */
export function adamOptions(config: ResolvedSaeConfig, { step, totalSteps }: StepPosition): AdamOptions {
  const decay = decays[config.learningRateSchedule]
  const rate =
    warmUp(step, config.warmupFraction * totalSteps) *
    decay(step, totalSteps, config.decayFraction * totalSteps)
  return {
    learningRate: config.learningRate * rate,
    beta1: config.beta1,
    beta2: config.beta2,
    epsilon: 1e-8,
    weightDecay: 0,
    step: step + 1,
  }
}
