import type { Kernels, SaeActivation, SaeTensors, Tensor } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Which parameters an autoencoder has, and their sizes. */
export interface SaeLayout {
  features: number
  d: number
  /** default: d */
  dOut?: number
  /** default: relu */
  activation?: SaeActivation
  /** a linear skip connection */
  skip?: boolean
}

/** One tensor per parameter of an autoencoder of that layout. */
export function saeTensors(
  { features, d, dOut = d, activation = { kind: 'relu' }, skip = false }: SaeLayout,
  make: (shape: number[], key: keyof SaeTensors) => Tensor,
): SaeTensors {
  const { kind } = activation
  return {
    wEnc: make([features, d], 'wEnc'),
    bEnc: make([features], 'bEnc'),
    wDec: make([features, dOut], 'wDec'),
    bDec: make([dOut], 'bDec'),
    ...(kind === 'jumprelu' && { threshold: make([features], 'threshold') }),
    ...(kind === 'gated' && { rMag: make([features], 'rMag'), bMag: make([features], 'bMag') }),
    ...(skip && { wSkip: make([d, dOut], 'wSkip') }),
  }
}

/** Tensors of the same shapes as those of an autoencoder: its moments. */
export function likeSae(params: SaeTensors, make: (shape: readonly number[]) => Tensor): SaeTensors {
  const entries = Object.entries(params).map(([key, t]: [string, Tensor]) => [key, make(t.shape)])
  return Object.fromEntries(entries) as SaeTensors
}

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

  /** Multiples of 1/8 in [low, high]: sums of their products are exact in float32, in any order of summation. */
  eighths(shape: readonly number[], high = 1, low = -high): Tensor {
    return this.fill(shape, () => low + this.random.int(8 * (high - low) + 1) / 8)
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
   * the same features, equal pre-activations (of which there are many) included. Thresholds are exact too, unless
   * they are kept as logarithms.
   */
  sae(layout: SaeLayout): SaeTensors {
    const { features, d } = layout
    const log = layout.activation?.kind === 'jumprelu' && layout.activation.logThreshold
    const make = {
      wEnc: (shape: number[]) => this.eighths(shape),
      bEnc: (shape: number[]) => this.eighths(shape, 2),
      // reconstructions of the size of x, however many features are active
      wDec: (shape: number[]) => this.signed(shape, 1 / Math.sqrt(features)),
      bDec: (shape: number[]) => this.eighths(shape),
      threshold: (shape: number[]) => (log ? this.signed(shape) : this.eighths(shape, 2, 0)),
      rMag: (shape: number[]) => this.signed(shape, 0.5),
      bMag: (shape: number[]) => this.signed(shape, 0.5),
      wSkip: (shape: number[]) => this.signed(shape, 0.5 / Math.sqrt(d)),
    }
    return saeTensors(layout, (shape, key) => make[key](shape))
  }

  /** First (signed) or second (positive) moments of Adam. */
  moments(params: SaeTensors, low: number, high: number): SaeTensors {
    return likeSae(params, (shape) => this.between(shape, low, high))
  }

  private fill(shape: readonly number[], value: () => number): Tensor {
    const data = new Float32Array(count(shape))
    for (let i = 0; i < data.length; i++) data[i] = value()
    return this.kernels.tensor(data, shape)
  }
}
