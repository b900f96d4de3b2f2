import type { ToyModel } from './toy-model.js'

type Directions = Pick<ToyModel, 'features' | 'dimensions' | 'w'>

/** A feature counts as represented when ||W_i|| is above this: features end near 0 or near 1. */
export const representedNorm = 0.5

/** How the features of a toy model lie in its hidden dimensions (Elhage et al. 2022). */
export interface Geometry {
  /** [n, n] W^T W: the model's map from features to features, before bias and ReLU */
  gram: Float64Array
  /** [n] ||W_i||: near 1 where a feature is represented, near 0 where it is left out */
  norms: Float64Array
  /** [n] D_i = ||W_i||^2 / sum_j (W_i_hat . W_j)^2, its share of a dimension; 0 for W_i = 0 */
  dimensionalities: Float64Array
  /** D* = m / ||W||_F^2, dimensions per feature; null when W = 0 */
  dimensionsPerFeature: number | null
  /** features with ||W_i|| > 0.5 */
  represented: number
}

export function measureGeometry(model: Directions): Geometry {
  const { features, dimensions } = model
  const gram = gramMatrix(model)
  const norms = Float64Array.from({ length: features }, (_, i) => Math.sqrt(gram[i * features + i]))
  const frobenius = norms.reduce((sum, norm) => sum + norm ** 2, 0)
  return {
    gram,
    norms,
    dimensionalities: norms.map((norm, i) => {
      // sum_j (W_i_hat . W_j)^2 = sum_j (W_i . W_j)^2 / ||W_i||^2
      const overlaps = gram.subarray(i * features, (i + 1) * features).reduce((sum, g) => sum + g * g, 0)
      return overlaps === 0 ? 0 : norm ** 4 / overlaps
    }),
    dimensionsPerFeature: frobenius === 0 ? null : dimensions / frobenius,
    represented: norms.filter((norm) => norm > representedNorm).length,
  }
}

/** W_i . W_j of all pairs, [n, n]. */
function gramMatrix({ features, dimensions, w }: Directions): Float64Array {
  const gram = new Float64Array(features * features)
  for (let i = 0; i < features; i++)
    for (let j = i; j < features; j++) {
      let dot = 0
      for (let c = 0; c < dimensions; c++) dot += w[i * dimensions + c] * w[j * dimensions + c]
      gram[i * features + j] = gram[j * features + i] = dot
    }
  return gram
}
