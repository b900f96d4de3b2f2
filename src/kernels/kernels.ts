import type { SaeKernels } from './sae-kernels.js'

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

export type DType = 'f32' | 'bf16' | 'i32'

/** A handle to memory that the kernels own. `shape` is row-major. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: DType
}

export type GeluKind = 'tanh' | 'erf'

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

export interface Kernels extends SaeKernels {
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
  /** Replaces the whole content. The data is copied before the call returns. */
  write(t: Tensor, data: Float32Array | Int32Array): void
  /** A copy of the content once all earlier operations are done. bf16 is widened to f32. */
  read(t: Tensor): Promise<Float32Array | Int32Array>
  readF32(t: Tensor): Promise<Float32Array>
  /** Gives the memory back before the garbage collector would. Using the tensor (or a window on it) later is an error. */
  free(t: Tensor): void
  /** Resolves when everything enqueued so far is done; rejects with the first error among it. */
  finish(): Promise<void>

  // ---- elementwise and reductions ----
  fill(t: Tensor, value: number): void
  /** dst = src, same number of elements; converts between f32 and bf16. */
  copy(dst: Tensor, src: Tensor): void
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
  /** out = x W + b. out [N, O], x [N, I], w [I, O], b [O] or null */
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
  /** out[n] = wE[tokens[n]] (+ wPos[n mod T] when given). out [N, D], tokens [N] i32, wE [V, D], wPos [>= T, D] */
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
  geluForward(out: Tensor, x: Tensor, kind: GeluKind): void
  geluBackward(dx: Tensor, dout: Tensor, x: Tensor, kind: GeluKind): void
  /**
   * Causal multi-head attention, scores scaled by 1/sqrt(head width).
   * z, q, k, v [B*T, H*head width]; pattern [B, H, T, T] keeps the softmax for the backward pass (and for reading),
   * zero where nothing may be attended to. starts [B*T] i32 (or null: all 0) is the first position of its own sequence that a position
   * may attend to: that is how documents packed into one sequence are kept apart.
   */
  attentionForward(z: Tensor, pattern: Tensor, q: Tensor, k: Tensor, v: Tensor, starts: Tensor | null): void
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
  ): void
  /**
   * Attention of N single positions against cached keys and values, for writing token by token. Row n belongs to sequence sequences[n] and attends
   * to the first lengths[n] positions of that sequence's cache (its own among them, so the cache is written first).
   * z, q [N, H*head width]; keys, values [B, S, H*head width]; sequences, lengths [N] i32; pattern [N, H, S] is the softmax, zero from lengths[n] on.
   */
  attentionCachedForward(
    z: Tensor,
    pattern: Tensor,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    sequences: Tensor,
    lengths: Tensor,
  ): void
  /** losses[n] = -log softmax(logits[n])[targets[n]] in nats; target -1 gives 0. losses [N], logits [N, V], targets [N] i32 */
  crossEntropyForward(losses: Tensor, logits: Tensor, targets: Tensor): void
  /** dlogits = scale * (softmax(logits) - onehot(target)), rows with target -1 are 0; dlogits may be the logits tensor itself */
  crossEntropyBackward(dlogits: Tensor, logits: Tensor, targets: Tensor, scale: number): void
  /** out[n] = KL(softmax(p[n]) || softmax(q[n])) in nats. out [N], p, q [N, V] logits */
  klDivergence(out: Tensor, p: Tensor, q: Tensor): void
}
