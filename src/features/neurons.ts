import type { Codes, Kernels, Tensor } from '../kernels/kernels.js'
import type { FeatureSums } from './co-activation.js'
import type { AlignedNeuron, CorrelatedNeuron } from './feature-detail.js'
import { largest } from './logit-weights.js'

/** Sums over all tokens from which each feature's correlation with each of the D neurons (dimensions of the hook point) follows. */
export interface NeuronSums {
  kernels: Kernels
  /** [F, D] sum of f_j x_d */
  products: Tensor
  /** [D] sum of x_d and of its square */
  sum: Float64Array
  squares: Float64Array
}

export function createNeuronSums(kernels: Kernels, features: number, d: number): NeuronSums {
  return {
    kernels,
    products: kernels.zeros([features, d]),
    sum: new Float64Array(d),
    squares: new Float64Array(d),
  }
}

/** Adds n tokens. @param activations [n, D] */
export function addNeurons(sums: NeuronSums, codes: Codes, activations: Float32Array): void {
  const { kernels, sum, squares } = sums
  const d = sum.length
  if (activations.length === 0) return
  const x = kernels.tensor(activations, [activations.length / d, d])
  kernels.saeAddProducts(sums.products, codes, x)
  kernels.free(x)
  for (let base = 0; base < activations.length; base += d)
    for (let j = 0; j < d; j++) {
      const value = activations[base + j]
      sum[j] += value
      squares[j] += value * value
    }
}

/**
 * The neurons whose activation has the largest Pearson correlation with a feature's, largest first. None for a feature that never fired;
 * neurons that do not vary are left out.
 * @param products [D] sum of f_j x_d of this feature
 */
export function correlatedNeurons(
  { sum, squares }: NeuronSums,
  products: Float32Array,
  totals: FeatureSums,
  feature: number,
  limit: number,
): CorrelatedNeuron[] {
  const { tokens } = totals
  const ofFeature = tokens * totals.squares[feature] - totals.sum[feature] ** 2
  if (totals.fires[feature] === 0 || ofFeature <= 0) return []
  const pearson = Float32Array.from(products, (product, j) => {
    const ofNeuron = tokens * squares[j] - sum[j] ** 2
    // Rounding leaves a constant neuron a little variance: less than a billionth of its square sum is none.
    if (ofNeuron <= 1e-9 * tokens * squares[j]) return -Infinity
    return (tokens * product - totals.sum[feature] * sum[j]) / Math.sqrt(ofFeature * ofNeuron)
  })
  return largest(pearson, limit, 1)
    .filter((neuron) => pearson[neuron] > -Infinity)
    .map((neuron) => ({
      neuron,
      pearson: pearson[neuron],
      cosine: products[neuron] / Math.sqrt(totals.squares[feature] * squares[neuron]),
    }))
}

/** The neurons that a decoder row [Dout] writes to most, by size of the entry; none for a row of zeros. */
export function alignedNeurons(decoderRow: Float32Array, limit: number): AlignedNeuron[] {
  const sizes = decoderRow.map(Math.abs)
  const norm = sizes.reduce((total, size) => total + size, 0)
  if (norm === 0) return []
  return largest(sizes, limit, 1).map((neuron) => ({
    neuron,
    value: decoderRow[neuron],
    l1: sizes[neuron] / norm,
  }))
}
