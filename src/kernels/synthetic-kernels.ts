import type { Codes, Tensor } from './kernels.js'

/*
 * The boundary for synthetic activations with known features: G true features, D dimensions, R common factors.
 *
 * Sample i is a function of (seed, i) alone. Its random numbers are words of Philox4x32-10 (Salmon et al. 2011) with the seed as key and the
 * counter (block, low and high 32 bits of i, purpose); a word becomes uniform as (word + 1/2) / 2^32, and normal as the quantile of that.
 *
 *   u_r   = normal of word r mod 4 of block floor(r / 4), purpose 0, rounded to a multiple of 2^-10     the R common factors
 *   e_j   = normal of word j mod 4 of block floor(j / 4), purpose 1                                    what is feature j's own
 *   drawn = residual_j e_j + sum over r of loading_jr u_r > threshold_j
 *   m_j   = max(0, mean_j + std_j normal of word 0 of block j, purpose 2)
 *
 * A feature without a parent is active where it is drawn and m_j > 0. A child is a candidate where its parent is active too; of c candidates of
 * exclusive siblings the one with index floor(c word / 2^32) is active, with word 1 of the parent's block of purpose 2.
 * value_j = m_j, times value_parent / mean_parent where magnitudes are scaled; x = bias + sum over active j, ascending, of value_j direction_j.
 * The sum of loadings and factors is an integer sum, so that which features are drawn does not depend on how it is computed.
 */

/** What synthetic activations are made of. */
export interface SyntheticLaw {
  /** [G, D] f32 or bf16 */
  directions: Tensor
  /** [D] f32 */
  bias: Tensor
  /** [G + 1] children of feature j are childIds[childOffsets[j]] .. childIds[childOffsets[j + 1] - 1] */
  childOffsets: Int32Array
  /** ascending for each parent, and above their parent's id; each feature has at most one parent */
  childIds: Int32Array
  /** [G, R] in units of 2^-15; norms of rows below 1 */
  loadings: Int16Array
  /** [G] >= 0 */
  residuals: Float64Array
  /** [G] -Infinity for features that are always drawn */
  thresholds: Float64Array
  /** [G] positive */
  magnitudeMeans: Float64Array
  /** [G] >= 0 */
  magnitudeStds: Float64Array
  /** at most one child of a feature is active */
  exclusive: boolean
  /** magnitudes of children are scaled by their parent's */
  scaled: boolean
}

/** A law as the kernels keep it: its tensors must stay alive as long as it is used. */
export interface SyntheticGenerator {
  /** G */
  readonly features: number
  readonly d: number
}

/** Which samples: offset, offset + 1, ... of a seed. */
export interface SampleRange {
  /** 0 .. 2^53 - 1 */
  seed: number
  /** 0 .. 2^53 - 1 */
  offset: number
}

/** The operations of the boundary that belong to synthetic activations. */
export interface SyntheticKernels {
  syntheticCreate(law: SyntheticLaw): SyntheticGenerator
  /** x[n] = activation of sample offset + n. x [N, D] f32 */
  syntheticFill(x: Tensor, generator: SyntheticGenerator, range: SampleRange): void
  /** The same, and which features are active, with their values. */
  syntheticSample(x: Tensor, generator: SyntheticGenerator, range: SampleRange): Promise<Codes>
}

/** Shift of the rounding of common factors: multiples of 2^-10. */
export const FACTOR_BITS = 10
/** The same of loadings. */
export const LOADING_BITS = 15
