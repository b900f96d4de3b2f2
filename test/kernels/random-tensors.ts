import type { Kernels, SaeTensors, Tensor } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Seeded inputs as tensors of some kernels: the same seed gives the same numbers whatever the kernels. */
export class RandomTensors {
  private readonly random: Random

  constructor(
    readonly kernels: Kernels,
    seed: number,
  ) {
    this.random = new Random(seed)
  }

  /** Uniform in (-scale, scale). */
  signed(shape: readonly number[], scale = 1): Tensor {
    return this.fill(shape, () => (2 * this.random.uniform() - 1) * scale)
  }

  /** Uniform in (low, high). */
  between(shape: readonly number[], low: number, high: number): Tensor {
    return this.fill(shape, () => low + (high - low) * this.random.uniform())
  }

  /** Multiples of 1/8 in [-scale, scale]: sums of their products are exact in float32, in any order of summation. */
  eighths(shape: readonly number[], scale = 1): Tensor {
    return this.fill(shape, () => (this.random.int(16 * scale + 1) - 8 * scale) / 8)
  }

  /** Integers in [low, high). */
  ints(shape: readonly number[], low: number, high: number): Tensor {
    const data = Int32Array.from({ length: count(shape) }, () => low + this.random.int(high - low))
    return this.kernels.tensor(data, shape)
  }

  /** `n` distinct integers in [0, high). */
  distinct(n: number, high: number): Tensor {
    const all = this.random.shuffle(Int32Array.from({ length: high }, (_, i) => i))
    return this.kernels.tensor(all.slice(0, n), [n])
  }

  /** For each of B*T positions a first position that it may attend to: documents that begin anywhere. */
  starts(batch: number, t: number): Tensor {
    const data = new Int32Array(batch * t)
    for (let i = 0; i < data.length; i++) {
      const fresh = i % t === 0 || this.random.uniform() < 0.2
      data[i] = fresh ? i % t : data[i - 1]
    }
    return this.kernels.tensor(data, [batch * t])
  }

  /**
   * An autoencoder whose pre-activations of `eighths` inputs are exact in float32. So every implementation selects
   * the same features, equal pre-activations (of which there are many) included.
   */
  sae(features: number, d: number): SaeTensors {
    return {
      wEnc: this.eighths([features, d]),
      bEnc: this.eighths([features], 2),
      // reconstructions of the size of x, however many features are active
      wDec: this.signed([features, d], 1 / Math.sqrt(features)),
      bDec: this.eighths([d]),
    }
  }

  /** First (signed) or second (positive) moments of Adam. */
  moments(features: number, d: number, low: number, high: number): SaeTensors {
    return {
      wEnc: this.between([features, d], low, high),
      bEnc: this.between([features], low, high),
      wDec: this.between([features, d], low, high),
      bDec: this.between([d], low, high),
    }
  }

  private fill(shape: readonly number[], value: () => number): Tensor {
    const data = new Float32Array(count(shape))
    for (let i = 0; i < data.length; i++) data[i] = value()
    return this.kernels.tensor(data, shape)
  }
}
