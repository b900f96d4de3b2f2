import type { AdamOptions } from '../kernels/kernels.js'
import type { StepPosition } from './architecture.js'
import type { SaeConfig } from './sae-config.js'
import { decayAtEnd, warmUp } from './schedule.js'

/** Plain Adam (no weight decay) with a linear warm-up and a linear decay at the end. */
export function adamOptions(config: SaeConfig, { step, totalSteps }: StepPosition): AdamOptions {
  const rate =
    warmUp(step, config.warmupFraction * totalSteps) *
    decayAtEnd(step, totalSteps, config.decayFraction * totalSteps)
  return {
    learningRate: config.learningRate * rate,
    beta1: config.beta1,
    beta2: config.beta2,
    epsilon: 1e-8,
    weightDecay: 0,
    step: step + 1,
  }
}
