import type { Random } from '../../random/random.js'

/**
 * A toy model of superposition (Elhage et al. 2022, https://transformer-circuits.pub/2022/toy_model): n features are squeezed into
 * m < n dimensions and brought back, h = W x, x_hat = ReLU(W^T h + b).
 */
export interface ToyModel {
  /** n */
  features: number
  /** m */
  dimensions: number
  /** [n, m]: row i is W_i, the direction of feature i in the hidden activations (a column of the paper's W) */
  w: Float32Array
  /** [n] */
  b: Float32Array
}

/** W with the start values of Glorot & Bengio 2010 (normal, variance 2 / (n + m)), b = 0. */
export function startToyModel(features: number, dimensions: number, random: Random): ToyModel {
  const deviation = Math.sqrt(2 / (features + dimensions))
  return {
    ...{ features, dimensions },
    w: Float32Array.from({ length: features * dimensions }, () => deviation * random.normal()),
    b: new Float32Array(features),
  }
}

/** Importance I_i = decay^i of each feature; 1 for all of them at a decay of 1. */
export const importances = (features: number, decay: number): Float32Array =>
  Float32Array.from({ length: features }, (_, i) => decay ** i)
