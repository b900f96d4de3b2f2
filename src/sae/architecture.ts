import type { SaeActivation, SaeStepOptions } from '../kernels/kernels.js'
import type { Random } from '../random/random.js'
import type { SaeConfig } from './sae-config.js'
import type { SaeArrays } from './sae-params.js'

/** Where training stands when a step's options are asked for. */
export interface StepPosition {
  /** 0-based */
  step: number
  totalSteps: number
}

/** What sets one kind of autoencoder apart from another; each has one file that reads like its paper. */
export interface SaeArchitecture {
  /** How pre-activations become activations. */
  activation(config: SaeConfig): SaeActivation
  /**
   * The parameters before the first step.
   * @param bDec [D] geometric median of a sample of the (scaled) activations
   */
  initialise(config: SaeConfig, bDec: Float32Array, random: Random): SaeArrays
  /** The loss and the update of one step. */
  stepOptions(config: SaeConfig, position: StepPosition): SaeStepOptions
  /** Whether dead features are resampled at `config.resampleAt`. */
  resamples: boolean
}
