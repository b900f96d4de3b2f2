import type { SaeKernels } from './sae-kernels.js'
import type { SyntheticKernels } from './synthetic-kernels.js'

/**
 * The boundary between the TypeScript that composes models and the code that computes.
 *
 * Legend for shapes: B sequences, T positions, N = B*T tokens, D activation width, F features (latents),
 * K active features per token, V vocabulary, H heads.
 *
 * Every operation is *enqueued* and returns at once; operations run one after the other in the order of the calls,
 * off Node's event loop. Only `read`, `finish` and the operations that return a promise wait. So code that uses
 * kernels reads like plain sequential code, and a GPU implementation can join behind the same interface.
 *
 * Conventions: outputs come first and are overwritten; gradients of parameters (named `dW`, `db`, ...) are added to
 * what is there; gradients of inputs (`dx`) are overwritten. Inputs are never changed unless the name says `InPlace`.
 * Every function throws `MonosemError('shape')` at once when shapes or types do not fit.
 */

export type * from './sae-kernels.js'
export type * from './synthetic-kernels.js'

export type DType = 'f32' | 'bf16' | 'i32'

/** A handle to memory that the kernels own. `shape` is row-major. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: DType
}

/** GELU exact (`gelu`) and approximated by tanh (`gelu_tanh`: GPT-2's gelu_new), SiLU x sigmoid(x), ReLU. Names of Hugging Face's configurations. */
export type ActivationKind = 'gelu' | 'gelu_tanh' | 'silu' | 'relu'

/** How positions look at one another. H query heads share H/G key and value heads in groups of G (grouped-query attention). */
export interface AttentionOptions {
  /** H, heads of the queries */
  heads: number
  /** G <= H, heads of keys and values; a divisor of H. Query head h reads key head floor(h G / H) */
  keyValueHeads: number
  /** scores are this times q k^T */
  scale: number
  /** scores become softCap tanh(scores / softCap) before the softmax (Gemma 2); null for none */
  softCap: number | null
  /** a position attends to itself and the window - 1 positions before it; null for all */
  window: number | null
}

export interface AdamOptions {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  /** Decoupled weight decay (AdamW): p -= learningRate * weightDecay * p. 0 is plain Adam. */
  weightDecay: number
  /** 1-based count of this update, for bias correction. */
  step: number
}

export interface Kernels extends SaeKernels, SyntheticKernels {
  readonly name: 'native' | 'reference'
  /** one line for logs, e.g. "native avx512, 4 threads" */
  readonly description: string
  readonly threads: number
  /**
   * What the processor can do at best: fp32 operations per second of all threads in multiply-adds on data that never leaves the L1 cache
   * (best of five, an eighth of a second in all). 0 where that says nothing (the reference).
   */
  measurePeak(): Promise<number>

  // ---- memory ----
  zeros(shape: readonly number[], dtype?: DType): Tensor
  /** Copies data into a new tensor: Float32Array -> f32, Int32Array -> i32. */
  tensor(data: Float32Array | Int32Array, shape: readonly number[]): Tensor
  /** A window on the same memory: rows start .. start+count-1 of the first axis. */
  rows(t: Tensor, start: number, count: number): Tensor
  /** The same memory under another shape with as many elements. */
  reshape(t: Tensor, shape: readonly number[]): Tensor
  /** Replaces the whole content. The data is copied before the call returns. f32 is rounded for a bf16 tensor; a Uint16Array is its bits. */
  write(t: Tensor, data: Float32Array | Int32Array | Uint16Array): void
  /** A copy of the content once all earlier operations are done. bf16 is widened to f32. */
  read(t: Tensor): Promise<Float32Array | Int32Array>
  /** The same of f32 and bf16. @param into array of as many elements that is filled and returned, instead of a new one */
  readF32(t: Tensor, into?: Float32Array): Promise<Float32Array>
  /** Gives the memory back before the garbage collector would. Using the tensor (or a window on it) later is an error. */
  free(t: Tensor): void
  /** Resolves when everything enqueued so far is done; rejects with the first error among it. */
  finish(): Promise<void>

  // ---- elementwise and reductions ----
  fill(t: Tensor, value: number): void
  /** dst = src, same number of elements; converts between f32 and bf16. */
  copy(dst: Tensor, src: Tensor): void
  /** out [C, R] = x [R, C] transposed; converts between f32 and bf16 */
  transpose(out: Tensor, x: Tensor): void
  /** y += x */
  addInPlace(y: Tensor, x: Tensor): void
  /** y *= factor */
  scaleInPlace(y: Tensor, factor: number): void
  /** out[n] = row for every n. out [N, D], row [D] */
  broadcastRow(out: Tensor, row: Tensor): void
  /** out[d] = sum over n of x[n, d]. out [D] f32, x [N, D] */
  columnSums(out: Tensor, x: Tensor): void
  /** out[i] = src[ids[i]]. out [n, D], src [M, D], ids [n] i32; converts f32/bf16 */
  gatherRows(out: Tensor, src: Tensor, ids: Tensor): void
  /** dst[ids[i]] = x[i]; ids distinct. dst [M, D], x [n, D], ids [n] i32; converts f32/bf16 */
  scatterRows(dst: Tensor, x: Tensor, ids: Tensor): void
  /** Global L2 norm of a list of gradients, and the factor that clips it: out [2] = (norm, min(1, maxNorm / norm)). */
  clipNorm(out: Tensor, grads: readonly Tensor[], maxNorm: number): void
  /** AdamW on one parameter. gradScale [2] from clipNorm (its second element multiplies g) or null. */
  adam(p: Tensor, g: Tensor, m: Tensor, v: Tensor, options: AdamOptions, gradScale: Tensor | null): void

  // ---- transformer layers, in forward / backward pairs ----
  // Weights may be bf16 in the forward pass and as the `w` that a backward pass reads: they are widened, all sums are f32.

  /** out = x W + b. out [N, O], x [N, I], w [I, O] f32 or bf16, b [O] or null */
  linearForward(out: Tensor, x: Tensor, w: Tensor, b: Tensor | null): void
  /** dx = dout W^T (overwritten), dW += x^T dout, db += column sums of dout; each may be null */
  linearBackward(
    dx: Tensor | null,
    dW: Tensor | null,
    db: Tensor | null,
    dout: Tensor,
    x: Tensor,
    w: Tensor,
  ): void
  /** out = x W^T: a linear layer whose weights are stored by output, as an embedding used once more to unembed. out [N, O], x [N, I], w [O, I] f32 or bf16 */
  linearTransposedForward(out: Tensor, x: Tensor, w: Tensor): void
  /** dx = dout W (overwritten), dW += dout^T x; each may be null. dW, w [O, I] */
  linearTransposedBackward(dx: Tensor | null, dW: Tensor | null, dout: Tensor, x: Tensor, w: Tensor): void
  /** out = a + b; out may be a or b. Same number of f32 elements */
  add(out: Tensor, a: Tensor, b: Tensor): void
  /** out[n] = wE[tokens[n]] (+ wPos[n mod T] when given). out [N, D], tokens [N] i32, wE [V, D], wPos [>= T, D]; tables f32 or bf16 */
  embedForward(out: Tensor, tokens: Tensor, wE: Tensor, wPos: Tensor | null, t: number): void
  embedBackward(dWE: Tensor, dWPos: Tensor | null, dout: Tensor, tokens: Tensor, t: number): void
  /** out = (x - mean) * rstd * w + b over the last axis. out, x [N, D], mean, rstd [N], w, b [D] */
  layerNormForward(
    out: Tensor,
    mean: Tensor,
    rstd: Tensor,
    x: Tensor,
    w: Tensor,
    b: Tensor,
    epsilon: number,
  ): void
  layerNormBackward(
    dx: Tensor,
    dW: Tensor | null,
    db: Tensor | null,
    dout: Tensor,
    x: Tensor,
    w: Tensor,
    mean: Tensor,
    rstd: Tensor,
  ): void
  /** Zhang & Sennrich 2019: out = x * rstd * w, rstd = 1/sqrt(mean of x^2 + epsilon). out, x [N, D], rstd [N], w [D] */
  rmsNormForward(out: Tensor, rstd: Tensor, x: Tensor, w: Tensor, epsilon: number): void
  rmsNormBackward(dx: Tensor, dW: Tensor | null, dout: Tensor, x: Tensor, w: Tensor, rstd: Tensor): void
  /** out = act(x); same number of elements. out may be x */
  activationForward(out: Tensor, x: Tensor, kind: ActivationKind): void
  /** dx = dout act'(x) */
  activationBackward(dx: Tensor, dout: Tensor, x: Tensor, kind: ActivationKind): void
  /** Shazeer 2020: out = act(gate) * up; same number of elements */
  gatedForward(out: Tensor, gate: Tensor, up: Tensor, kind: ActivationKind): void
  /** dgate = dout up act'(gate), dup = dout act(gate); both overwritten */
  gatedBackward(
    dgate: Tensor,
    dup: Tensor,
    dout: Tensor,
    gate: Tensor,
    up: Tensor,
    kind: ActivationKind,
  ): void
  /** out = cap tanh(x / cap); out may be x */
  softCapForward(out: Tensor, x: Tensor, cap: number): void
  /** dx = dout (1 - (out / cap)^2), out being the result of the forward pass; dx may be dout */
  softCapBackward(dx: Tensor, dout: Tensor, out: Tensor, cap: number): void
  /**
   * Su et al. 2021, in the order of GPT-NeoX: of each head's W dimensions the first R turn in pairs (i, i + R/2) by the angle of row positions[n];
   * the others stay. out, x [N, heads * W], positions [N] i32, cos, sin [S, R/2], S > every position. out may be x
   */
  rotaryForward(out: Tensor, x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: number): void
  /** The gradient: the same rotation backwards. dx may be dout */
  rotaryBackward(dx: Tensor, dout: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: number): void
  /**
   * Causal attention over B sequences of T positions: z = pattern v, pattern = softmax(soft cap of scale q k^T).
   * z, q [B*T, H*W], k, v [B*T, G*W]; pattern [B, H, T, T] keeps the softmax for the backward pass (and for reading), zero where nothing may be
   * attended to; null where nobody wants it: then no T x T matrix is kept. starts [B*T] i32 (or null: all 0) is the first position of its own
   * sequence that a position may attend to: that is how documents packed into one sequence are kept apart.
   * @param t T, which divides the rows of q
   */
  attentionForward(
    z: Tensor,
    pattern: Tensor | null,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    starts: Tensor | null,
    t: number,
    options: AttentionOptions,
  ): void
  attentionBackward(
    dq: Tensor,
    dk: Tensor,
    dv: Tensor,
    dz: Tensor,
    pattern: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    starts: Tensor | null,
    options: AttentionOptions,
  ): void
  /**
   * Attention of N single positions against cached keys and values, for writing token by token. Row n belongs to sequence sequences[n] and attends
   * to the last `window` of the first lengths[n] positions of that sequence's cache (its own among them, so the cache is written first).
   * z, q [N, H*W]; keys, values [B, S, G*W]; sequences, lengths [N] i32; pattern [N, H, S] is the softmax, zero where nothing is attended to, or null.
   */
  attentionCachedForward(
    z: Tensor,
    pattern: Tensor | null,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    sequences: Tensor,
    lengths: Tensor,
    options: AttentionOptions,
  ): void
  /** losses[n] = -log softmax(logits[n])[targets[n]] in nats; target -1 gives 0. losses [N], logits [N, V], targets [N] i32 */
  crossEntropyForward(losses: Tensor, logits: Tensor, targets: Tensor): void
  /** dlogits = scale * (softmax(logits) - onehot(target)), rows with target -1 are 0; dlogits may be the logits tensor itself */
  crossEntropyBackward(dlogits: Tensor, logits: Tensor, targets: Tensor, scale: number): void
  /** out[n] = KL(softmax(p[n]) || softmax(q[n])) in nats. out [N], p, q [N, V] logits */
  klDivergence(out: Tensor, p: Tensor, q: Tensor): void
}
