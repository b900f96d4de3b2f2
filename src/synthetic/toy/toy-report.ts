import type { Recovery } from './recovery.js'
import type { FeatureDistribution } from './sample-features.js'

/** One toy model and how its features lie. */
export interface ToyPicture {
  distribution: FeatureDistribution
  /** m */
  dimensions: number
  /** [n] I_i */
  importance: number[]
  /** mean over new samples of sum_i I_i (x_i - x_hat_i)^2 */
  loss: number
  /** D* = m / ||W||_F^2, dimensions per feature; null when W = 0 */
  dimensionsPerFeature: number | null
  /** features with ||W_i|| > 0.5 */
  represented: number
  /** [n] ||W_i|| */
  norms: number[]
  /** [n] D_i */
  dimensionalities: number[]
  /** [n, m] row after row; null where models are large */
  w: number[] | null
}

/** Toy models that show what the paper shows (Elhage et al. 2022). */
export interface ToyGeometry {
  /** 5 features in 2 dimensions, I_i = 0.9^i, over sparsity */
  plane: ToyPicture[]
  /** 4 features in 2 dimensions: independent, correlated in pairs, anticorrelated in pairs */
  correlated: ToyPicture[]
  /** 20 features in 5 dimensions, I_i = 0.7^i, over sparsity */
  importance: ToyPicture[]
  /** many features of equal importance, over sparsity */
  sparsity: ToyPicture[]
  /** 2 features in 1 dimension, over sparsity and the importance of the second */
  phases: ToyPicture[]
}

/** A toy model whose features autoencoders looked for. */
export interface ToyRecovery {
  /** n */
  features: number
  /** m */
  dimensions: number
  /** probability that a feature is active */
  density: number
  /** features of the toy model with ||W_i|| > 0.5 */
  represented: number
  loss: number
  /** null for an autoencoder that diverged */
  recoveries: (Recovery | null)[]
}

/** What toy.json holds. */
export interface ToyReport {
  /** the question of the stage: can the features of this model be found? One autoencoder for each architecture */
  claim: ToyRecovery
  /** null without sweeps */
  sweeps: {
    /** every feature density with every overcompleteness */
    models: ToyRecovery[]
    /** the claim's model with other dictionary sizes, lambdas and ks */
    dictionaries: ToyRecovery
  } | null
  geometry: ToyGeometry | null
}
