import type { Slice } from '../../distributed/mesh.js'
import type { SaeForm, SaeStepOptions } from '../../kernels/kernels.js'
import type { Random } from '../../random/random.js'
import type { InitialStatistics } from '../initial-statistics.js'
import type { ResolvedSaeConfig } from '../sae-config.js'
import type { SaeArrays } from '../sae-params.js'

/** Where training stands when a step's options are asked for. */
export interface StepPosition {
  /** 0-based */
  step: number
  totalSteps: number
}

/** Options whose default may depend on the architecture. */
export type ArchitectureDefaults = Partial<
  Pick<
    ResolvedSaeConfig,
    | 'l1Coefficient'
    | 'l0Coefficient'
    | 'bandwidth'
    | 'initialThreshold'
    | 'gradientClip'
    | 'sparsityWarmupFraction'
    | 'deadFeatures'
  >
>

/** What a feature has besides its two directions and its bias, at the value it starts with. Present exactly where the parameter is. */
export interface FeatureStart {
  threshold?: number
  rMag?: number
  bMag?: number
}

/** A trained autoencoder as it is used and saved: decoder rows of norm 1, tokens independent of one another. */
export interface Inference {
  arrays: SaeArrays
  form: SaeForm
}

/** What sets one kind of autoencoder apart from another; each has one file that reads like its paper. */
export interface SaeArchitecture {
  /** Recommended values for activations of width d (scaled to a mean norm of sqrt(d)) that apply where the user gave none. */
  defaults(d: number): ArchitectureDefaults
  /** The forward pass in training. */
  form(config: ResolvedSaeConfig): SaeForm
  /** Start of the parameters that only some architectures have. */
  featureStart(config: ResolvedSaeConfig): FeatureStart
  /**
   * The parameters before the first step, without those of `featureStart` and without a transcoder's skip connection.
   * @param slice which features to make, with the values that they have among all. Default: all F
   */
  initialise(
    config: ResolvedSaeConfig,
    statistics: InitialStatistics,
    random: Random,
    slice?: Slice,
  ): SaeArrays
  /** The loss and the update of one step. */
  stepOptions(config: ResolvedSaeConfig, position: StepPosition): SaeStepOptions
  /**
   * The trained parameters in a form that every tool knows, of all features or of some; the arrays may be changed in place.
   * @param threshold the running threshold of batchtopk
   */
  toInference(config: ResolvedSaeConfig, arrays: SaeArrays, threshold: number): Inference
}
