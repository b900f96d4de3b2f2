import type { Exchange } from '../distributed/communicator.js'
import type { AdamOptions, Tensor } from './kernels.js'

/**
 * The boundary for sparse autoencoders. One autoencoder is
 *
 *   pre  = W_enc (x - b_dec) + b_enc          (W_enc x + b_enc without `subtractDecoderBias`)
 *   f    = activation(pre)                    sparse: only a few of the F features of a token are active
 *   xHat = W_dec f + b_dec (+ W_skip x)
 *
 * and everything after the encoder touches only (token, feature) pairs that matter. `docs/architectures.md` has the loss and the
 * gradients of every combination that the step computes.
 */

/** Sparse feature activations of N tokens in compressed rows: token n owns entries rowOffsets[n] .. rowOffsets[n+1]-1. */
export interface Codes {
  /** [N + 1] */
  rowOffsets: Int32Array
  /** [nnz] feature ids, ascending within a row */
  featureIds: Int32Array
  /** [nnz] activations, all > 0 */
  values: Float32Array
}

/** The parameters of an autoencoder, or their moments. D is the width of the input, Dout of the target (the same but for transcoders). */
export interface SaeTensors {
  /** [F, D]: row j is the encoder direction of feature j (the transpose of SAELens's W_enc) */
  wEnc: Tensor
  /** [F]; for `gated` the bias of the gate */
  bEnc: Tensor
  /** [F, Dout]: row j is the decoder direction of feature j */
  wDec: Tensor
  /** [Dout] */
  bDec: Tensor
  /** [F] `jumprelu`: theta, or ln theta with `logThreshold` */
  threshold?: Tensor
  /** [F] `gated`: log of the gain of the magnitude path */
  rMag?: Tensor
  /** [F] `gated`: bias of the magnitude path */
  bMag?: Tensor
  /** [D, Dout] a transcoder's linear skip connection */
  wSkip?: Tensor
}

/**
 * Which part of an autoencoder, and of a batch, this process has, and how it meets those that have the others. Parameters are rows
 * `firstFeature` ... of the whole; b_dec and W_skip are on every rank. Feature ids in codes count from this rank's first feature.
 */
export interface SaeRanks {
  /** of the ranks with other features and the same tokens, in the order of their features; null: this rank has all features */
  features: Exchange | null
  /** of the ranks with the same features and other tokens, in the order of their tokens; null: this rank has all tokens of a batch */
  data: Exchange | null
  firstFeature: number
  totalFeatures: number
  /** first of this rank's tokens in the whole batch */
  firstRow: number
  totalRows: number
  /** what gradients cross in between ranks with the same features. Default 'f32' */
  gradients?: 'f32' | 'bf16'
}

/** How pre-activations become activations. */
export type SaeActivation =
  /** pre where it is positive */
  | { kind: 'relu' }
  /** pre where it is above the feature's threshold */
  | { kind: 'jumprelu'; logThreshold?: boolean }
  /** max(0, exp(r_mag) (pre - b_enc) + b_mag) where pre (the gate) is positive */
  | { kind: 'gated' }
  /** the k largest of a token that are positive; the lower id first among equals */
  | { kind: 'topk'; k: number }
  /** the N k largest of a whole batch that are positive; the lower (token, id) first among equals. For training: a token's codes depend on the batch */
  | { kind: 'batchtopk'; k: number }

/** The forward pass. */
export interface SaeForm {
  activation: SaeActivation
  /** whether b_dec is subtracted from the input of the encoder; needs D = Dout */
  subtractDecoderBias: boolean
}

/** How a token is normed before the encoder, see `saeNormalize`. */
export type SaeInputNorm = 'layer_norm' | 'constant_norm_rescale'

/** What a step adds to the squared error to make codes sparse. lambda is `coefficient`; means over tokens, sums over features. */
export type SaeSparsity =
  | { kind: 'none' }
  /** lambda f_j (gated: lambda ReLU(pre_j)), times ||W_dec_j|| with `byDecoderNorm` (not for gated) */
  | { kind: 'l1'; coefficient: number; byDecoderNorm: boolean }
  /** jumprelu: lambda H(pre_j - theta_j); rectangle straight-through estimator of width `bandwidth` for theta */
  | { kind: 'l0'; coefficient: number; bandwidth: number }
  /** jumprelu: lambda tanh(scale f_j ||W_dec_j||) + preAct ReLU(theta_j - pre_j) ||W_dec_j||; the estimator as above */
  | { kind: 'tanh'; coefficient: number; scale: number; bandwidth: number; preAct: number }

/** Gao et al. 2024, section 2.4: dead features reconstruct the error that the live ones leave. */
export interface AuxKOptions {
  /** how many dead features each token may use */
  k: number
  /** weight of the auxiliary loss (1/32 in the paper) */
  coefficient: number
  /** a feature is dead when it has not fired for this many tokens */
  deadAfterTokens: number
}

/**
 * How encoding looks for active features; what it finds below fp32 is always computed again in fp32.
 * `fp32` finds exactly what comparing all pre-activations in fp32 would: where the processor multiplies bf16, these come first, and whatever may be
 * active within a bound of their rounding error is computed again. `bf16` and `int8` do so within four standard deviations of that error.
 */
export type SaePrecision = 'fp32' | 'bf16' | 'int8'

/** W_enc once more, in the layout and the number format that encoding reads. The kernels own it; `saeStep` keeps it true. */
export interface SaePacked {
  /** what was granted: fp32 where the processor (or the implementation) lacks what was asked for */
  readonly precision: SaePrecision
}

/** Everything a step changes. Optional parameters are there in `m` and `v` exactly where they are in `params`. */
export interface SaeTraining {
  params: SaeTensors
  /** Adam's moments */
  m: SaeTensors
  v: SaeTensors
  packed: SaePacked
  /** [F] i32, set to 0 for features that fire and raised by N for the others */
  tokensSinceFired: Tensor
  /** [SAE_RUNNING] f32, zeros at first: what steps remember, see `saeRunning` */
  running: Tensor
}

/** Length of `SaeTraining.running`. */
export const SAE_RUNNING = 8

/** Places in `SaeTraining.running`. */
export const saeRunning = {
  /** share of the F features active on the average token of the last step; chooses how a step computes, never what */
  density: 0,
  /** batchtopk: moving average (decay 0.99) of the smallest activation kept in a batch: the threshold for inference */
  threshold: 1,
  /** int8: features looked for, and of them missed, in recall checks so far (decaying) */
  recallChecked: 2,
  recallMissed: 3,
  /** 1 once int8 missed more than 1 in 10,000: later steps encode in fp32 */
  recallFailed: 4,
} as const

/** Columns of what `saeCompare` computes of each token. */
export const saeComparison = {
  /** ||y - xHat||^2 */
  squaredError: 0,
  /** y . xHat */
  dot: 1,
  /** ||y||^2 */
  target: 2,
  /** ||xHat||^2 */
  reconstruction: 3,
  /** ||y - center||^2 */
  deviation: 4,
} as const

/** How many columns that are. */
export const SAE_COMPARISON = 5

export interface SaeStepOptions {
  form: SaeForm
  sparsity: SaeSparsity
  adam: AdamOptions
  /** remove the component of the decoder gradient along each row, and put rows back to unit norm after the update */
  unitNormDecoder: boolean
  /** leave W_dec and its moments as they are: its gradient is neither used nor part of the gradient's norm. Default false */
  freezeDecoder?: boolean
  /** largest L2 norm of the whole gradient; costs a second pass over the gradients. Default: none */
  gradientClip?: number
  auxK?: AuxKOptions
  /** Matryoshka: ascending ends of nested prefixes of the features, the last is F; the squared error is summed over them. Default: [F] */
  prefixes?: readonly number[]
  /** rows with NaN or infinity: 'stop' leaves everything as it was and reports the first; 'skip' leaves the rows out. Default 'stop' */
  badRows?: 'stop' | 'skip'
  /** default: this process has the whole autoencoder. Needs the native kernels */
  ranks?: SaeRanks
}

/** Means over the tokens of the batch unless stated; as they were before the update. */
export interface SaeStepStats {
  /** ||x - xHat||^2 (of the whole dictionary) */
  squaredError: number
  /** sum over prefixes of ||x - xHat||^2: equal to squaredError without prefixes */
  prefixError: number
  /** the penalty before its coefficient: sum of f (times norms), of active features, or of tanh */
  sparsity: number
  /** number of active features */
  l0: number
  /** auxK: mean ||e - eHat||^2 / mean ||e - mean e||^2, 0 when nothing is dead; gated: ||x - xHat of the gate||^2 */
  auxLoss: number
  /** tanh: the pre-activation penalty before its coefficient */
  preActLoss: number
  /** features whose `tokensSinceFired` had reached deadAfterTokens (0 without auxK) */
  dead: number
  /** largest share of the batch on which one feature was active */
  maxDensity: number
  /** L2 norm of the whole gradient; 0 without gradientClip */
  gradientNorm: number
  /** first row with NaN or infinity, or -1; with 'stop' and a row >= 0 nothing was updated */
  badRow: number
  /** how many such rows were left out */
  skippedRows: number
  /** how this step looked for active features: that of the packed weights, or fp32 once int8 has missed too much */
  precision: SaePrecision
  /** number format of the products that it computed of all pairs: bf16 for fp32 where that comes first, fp32 where codes are not sparse */
  scanned: SaePrecision
  /** milliseconds of the phases: encode and select; decode and errors; gradients, Adam and repacking */
  encodeMs: number
  decodeMs: number
  updateMs: number
}

/**
 * Counts and sums over pairs (feature, column) of a stream of tokens, for the columns that weigh most with each of F features, in memory
 * that does not grow with the stream. With a place for every column it is exact. Otherwise it is a Misra-Gries summary, merged batch by
 * batch (Agarwal et al. 2012, "Mergeable summaries"): a feature keeps `capacity` columns, and the lightest make room for heavier ones. A
 * column that holds more than 1 / (capacity + 1) of a feature's weight is certainly kept. Zeros at first, but for `size` of an exact table.
 */
export interface SaePairs {
  /** what decides which columns are kept */
  weighBy: 'count' | 'sum'
  columns: number
  /** [F, capacity] i32, the columns kept; null where the table is exact: then capacity = columns, and place c is column c's */
  ids: Tensor | null
  /** [F] i32, how many columns a feature keeps; capacity where the table is exact */
  size: Tensor
  /** [F, capacity] i32, tokens of the pair since its column was kept */
  count: Tensor
  /** [F, capacity] f32, sum of the products of both values over them */
  sum: Tensor
  /** [F, capacity] f32, the most weight that a column can have had before it was kept; null where the table is exact */
  before: Tensor | null
  /** [F] f32, the most weight that a column that is not kept can have */
  missed: Tensor
}

/** The operations of the boundary that belong to autoencoders. */
export interface SaeKernels {
  /**
   * Packs W_enc for encoding.
   * @param smoothing [D] f32, all positive, or null: int8 divides activations by it (and multiplies weights), so that a few large dimensions do not
   *   use up the 8 bits
   */
  saePack(wEnc: Tensor, precision: SaePrecision, smoothing: Tensor | null): SaePacked
  /** Packs again after W_enc was written from outside. */
  saeRepack(packed: SaePacked, wEnc: Tensor): void
  /** Gives the memory back. */
  saeFreePacked(packed: SaePacked): void
  /**
   * One training step. x [N, D] f32; y [N, Dout] f32 is what is reconstructed (x itself but for transcoders). With `ranks` x and y are this rank's rows; k,
   * prefixes and auxK count in the whole autoencoder, and what is returned is of all ranks' features and rows: the same bits everywhere.
   */
  saeStep(training: SaeTraining, x: Tensor, y: Tensor, options: SaeStepOptions): Promise<SaeStepStats>
  /**
   * f = activation(pre), only what is active.
   *
   * Here and below, `ranks` shares the features with other ranks, which all call it with the same tokens; how it shares tokens is not looked at.
   * The k largest are those of all ranks; codes have this rank's features, with ids from its first one; xHat is the whole on every rank.
   * @param packed of the same W_enc, or null to pack for this call
   */
  saeEncode(
    params: SaeTensors,
    x: Tensor,
    form: SaeForm,
    packed: SaePacked | null,
    ranks?: SaeRanks,
  ): Promise<Codes>
  /** xHat = W_dec f + b_dec (+ W_skip x). xHat [N, Dout]; x [N, D] where params has wSkip, else it may be null. */
  saeDecode(xHat: Tensor, params: SaeTensors, codes: Codes, x: Tensor | null, ranks?: SaeRanks): void
  /** xHat = decode(encode(x)), and losses[n] = ||y - xHat||^2 when given. xHat may be x itself. */
  saeReconstruct(
    xHat: Tensor,
    losses: Tensor | null,
    params: SaeTensors,
    x: Tensor,
    y: Tensor,
    form: SaeForm,
    packed: SaePacked | null,
    ranks?: SaeRanks,
  ): void
  /**
   * A few features of every token, without the rest: out [N, n] = activation(pre) of the features `ids`. `topk` and `batchtopk` are computed as relu:
   * which features are among the k largest needs all of them.
   */
  saeEncodeFeatures(out: Tensor, params: SaeTensors, x: Tensor, ids: Int32Array, form: SaeForm): void
  /**
   * Norms each token on its own, as some autoencoders read it. `layer_norm`: out = (x - mean) / (std + 1e-5), offsets = mean, scales = std (D - 1 in its
   * denominator). `constant_norm_rescale`: out = x sqrt(D) / ||x||, offsets = 0, scales = ||x|| / sqrt(D). Zeros stay zeros.
   * out [N, D], or null for the scales alone; offsets, scales [N]; x [N, D]
   */
  saeNormalize(out: Tensor | null, offsets: Tensor, scales: Tensor, x: Tensor, norm: SaeInputNorm): void
  /** Back: y[n] = y[n] scales[n] + offsets[n]. y [N, D]; offsets [N], or null for none; scales [N] */
  saeDenormalizeInPlace(y: Tensor, offsets: Tensor | null, scales: Tensor): void
  /** losses[n] = ||y[n] - xHat[n]||^2. losses [N]; y, xHat [N, D] */
  saeSquaredErrors(losses: Tensor, y: Tensor, xHat: Tensor): void
  /**
   * What tells a reconstruction from its target, in one pass over both. sums[n] holds, in the order of `saeComparison`, ||y - xHat||^2, y . xHat, ||y||^2,
   * ||xHat||^2 and ||y - center||^2 of token n; shift[d] = sum over n of y[n, d] - center[d].
   * sums [N, 5]; shift [D]; y, xHat [N, D]; center [D]
   */
  saeCompare(sums: Tensor, shift: Tensor, y: Tensor, xHat: Tensor, center: Tensor): void
  /** out[j] += sum over n of f[n, j] x[n]: codes^T x, token after token. out [F, D], x [N, D], codes of N tokens */
  saeAddProducts(out: Tensor, codes: Codes, x: Tensor): void
  /**
   * Adds the pairs of N tokens, codes^T columns: of each feature's tokens and each column, how many there are and the sum of the products
   * of both values. How a stream is cut into calls changes what a full table keeps.
   * @param columns N rows in the form of codes, ids below `pairs.columns`; may be `codes`
   */
  saeAddPairs(pairs: SaePairs, codes: Codes, columns: Codes): void
  /** y += weight (x - y), the same number of f32 elements: one step of an exponential moving average. */
  mixInPlace(y: Tensor, x: Tensor, weight: number): void
}
