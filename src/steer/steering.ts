import { requireSpliceFits } from '../activations/sae-on-model.js'
import { reconstruction, spliceHooks } from '../activations/splice.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { SaeTensors, Tensor } from '../kernels/kernels.js'
import type { HooksFor, PassRows } from '../model/generate.js'
import type { Transformer } from '../model/transformer.js'
import { normalizeInput, scaleByToken } from '../sae/input-normalization.js'
import { requireFeature } from '../sae/require-feature.js'
import { encodeRows, type Sae } from '../sae/sae.js'

/*
 * Steering: the activation x at the autoencoder's hook point is edited in terms of features. With f = encode(x) and the error
 * e = x - decode(f) kept, clamping features to values v is
 *
 *   x' = decode(f with f_i = v_i) + e = x + sum_i (v_i - f_i) d_i
 *
 * so only the activations f_i of the edited features are needed, and their decoder rows d_i (Templeton et al. 2024, "Scaling
 * Monosemanticity", section "Methodological details"). Adding is x + sum_i v_i d_i. Without the error term, x' = decode(f') is the
 * reconstruction itself, which shows how much of an effect is the autoencoder's own error. A transcoder reads one hook point and edits the
 * other: y' = y + sum_i (v_i - f_i(x)) d_i. Where each token is normed for the encoder, a direction counts as many times as the token was divided by:
 * x' = x + scale(x) sum_i (v_i - f_i) d_i.
 */

/** What is done to one feature. */
export interface FeatureEdit {
  feature: number
  /** clamp: the activation becomes `value`; add: it grows by `value`, whatever it was */
  kind: 'clamp' | 'add'
  /** in the units of the autoencoder's activations (raw activations, as in the feature store); clamping to 0 ablates */
  value: number
}

/** Which tokens are steered. */
export interface TokenScope {
  /**
   * all: every token; generated: those whose prediction is written, from the last token of the prompt on; positions: those at `positions`
   */
  tokens: 'all' | 'generated' | 'positions'
  /** indices in the text; the start-of-text token that opens it is 0 */
  positions?: readonly number[]
  /** leave the start-of-text token alone: autoencoders have not seen it. Default true */
  skipBos?: boolean
}

export interface SteeringOptions {
  /** default: all tokens but the start-of-text token */
  scope?: TokenScope
  /** default true; false is a diagnostic: the reconstruction takes the place of the activation */
  keepError?: boolean
}

/** Steering, ready for forward passes. It owns tensors: `free` gives them back. */
export interface Steering {
  edits: readonly FeatureEdit[]
  /** for `generate`, `sample` and all else that takes hooks by rows */
  hooks: HooksFor
  free(): void
}

/** Largest value of an edit; far below what float32 squares can hold. */
const largestValue = 1e6

/**
 * Prepares edits of features. Every operation is enqueued, nothing is waited for. For architectures that decide about each feature by
 * itself (ReLU, JumpReLU, gated) only the encoder rows of the edited features are computed; TopK needs the full encode.
 * @throws MonosemError config (no edits, a feature twice, a value that is no number or absurd), missing (no such feature or hook point),
 * shape (the autoencoder does not fit the model)
 */
export function createSteering(
  model: Transformer,
  sae: Sae,
  startOfText: number,
  edits: readonly FeatureEdit[],
  { scope = { tokens: 'all' }, keepError = true }: SteeringOptions = {},
): Steering {
  requireSpliceFits(model, sae)
  requireEdits(sae, edits)
  const change = createChange(sae, edits)
  const hooks: HooksFor = (rows) => {
    const chosen = rowsInScope(rows, scope, startOfText)
    if (chosen.length === 0) return {}
    const all = chosen.length === rows.tokens.length
    return spliceHooks(sae, all ? null : chosen, (x) => ({
      delta: change.of(x),
      replacement: keepError ? null : reconstruction(sae, x),
    }))
  }
  return { edits, hooks, free: change.free }
}

/** Rows of a pass that are steered, ascending. */
function rowsInScope(rows: PassRows, scope: TokenScope, startOfText: number): Int32Array {
  const { skipBos = true } = scope
  const positions = new Set(scope.positions)
  const wanted = (n: number): boolean => {
    if (skipBos && rows.tokens[n] === startOfText) return false
    if (scope.tokens === 'generated') return rows.writes[n] === 1
    return scope.tokens === 'all' || positions.has(rows.indices[n])
  }
  return Int32Array.from(rows.tokens.keys()).filter(wanted)
}

/** Computes sum_i (v_i - f_i) d_i for clamped and sum_i v_i d_i for added features: x [n, D] -> [n, Dout], which the caller frees. */
interface Change {
  of(x: Tensor): Tensor
  free(): void
}

function createChange(sae: Sae, edits: readonly FeatureEdit[]): Change {
  const change = createUnscaledChange({ ...sae, inputNormalization: 'none' }, edits)
  return {
    of(x) {
      const input = normalizeInput(sae, x)
      const delta = change.of(input.x)
      scaleByToken(sae.kernels, delta, input.tokens)
      input.free()
      return delta
    },
    free: change.free,
  }
}

/** The same of tokens as the encoder reads them, in units of what it reads. */
function createUnscaledChange(sae: Sae, edits: readonly FeatureEdit[]): Change {
  const clamped = edits.filter(({ kind }) => kind === 'clamp')
  if (clamped.length === 0) return constantChange(sae, edits)
  const ids = Int32Array.from(clamped, ({ feature }) => feature)
  return sae.form.activation.kind === 'topk' ? fullChange(sae, edits, ids) : rowChange(sae, edits, ids)
}

/** sum_i v_i d_i, [Dout] */
function constantPart({ kernels, params, dOut }: Sae, edits: readonly FeatureEdit[]): Tensor {
  const ids = kernels.tensor(
    Int32Array.from(edits, ({ feature }) => feature),
    [edits.length],
  )
  const values = kernels.tensor(
    Float32Array.from(edits, ({ value }) => value),
    [1, edits.length],
  )
  const directions = kernels.zeros([edits.length, dOut])
  const total = kernels.zeros([1, dOut])
  kernels.gatherRows(directions, params.wDec, ids)
  kernels.linearForward(total, values, directions, null)
  for (const tensor of [ids, values, directions]) kernels.free(tensor)
  return kernels.reshape(total, [dOut])
}

function constantChange(sae: Sae, edits: readonly FeatureEdit[]): Change {
  const { kernels } = sae
  const constant = constantPart(sae, edits)
  return {
    of(x) {
      const delta = kernels.zeros([x.shape[0], sae.dOut])
      kernels.broadcastRow(delta, constant)
      return delta
    },
    free: () => kernels.free(constant),
  }
}

/** Each feature's activation depends on its own encoder row only. */
function rowChange(sae: Sae, edits: readonly FeatureEdit[], clamped: Int32Array): Change {
  const { kernels } = sae
  const constant = constantPart(sae, edits)
  const removing = negatedRows(sae, clamped)
  return {
    of(x) {
      const f = encodeRows(sae, x, clamped)
      const delta = kernels.zeros([x.shape[0], sae.dOut])
      kernels.linearForward(delta, f, removing, constant)
      kernels.free(f)
      return delta
    },
    free: () => {
      for (const tensor of [constant, removing]) kernels.free(tensor)
    },
  }
}

/**
 * Whether a feature is among the k largest takes all of them: x is encoded as always and decoded by a decoder that has only the rows
 * -d_i of the clamped features. The bias stays where the encoder subtracts it, and is taken off again.
 */
function fullChange(sae: Sae, edits: readonly FeatureEdit[], clamped: Int32Array): Change {
  const { kernels, form, packed, features, dOut } = sae
  const constant = constantPart(sae, edits)
  const wDec = kernels.zeros([features, dOut])
  const bDec = kernels.zeros([dOut])
  if (form.subtractDecoderBias) {
    kernels.copy(bDec, sae.params.bDec)
    const negated = kernels.zeros([dOut])
    kernels.addInPlace(negated, bDec)
    kernels.scaleInPlace(negated, -1)
    kernels.addInPlace(constant, negated)
    kernels.free(negated)
  }
  const [ids, rows] = [kernels.tensor(clamped, [clamped.length]), negatedRows(sae, clamped)]
  kernels.scatterRows(wDec, rows, ids)
  for (const tensor of [ids, rows]) kernels.free(tensor)
  const { wSkip: _, ...others } = sae.params
  const params: SaeTensors = { ...others, wDec, bDec }
  return {
    of(x) {
      const delta = kernels.zeros([x.shape[0], dOut])
      const fixed = kernels.zeros([x.shape[0], dOut])
      kernels.saeReconstruct(delta, null, params, x, fixed, form, packed)
      kernels.broadcastRow(fixed, constant)
      kernels.addInPlace(delta, fixed)
      kernels.free(fixed)
      return delta
    },
    free: () => {
      for (const tensor of [constant, wDec, bDec]) kernels.free(tensor)
    },
  }
}

/** -d_i, [n, Dout] */
function negatedRows({ kernels, params, dOut }: Sae, features: Int32Array): Tensor {
  const ids = kernels.tensor(features, [features.length])
  const rows = kernels.zeros([features.length, dOut])
  kernels.gatherRows(rows, params.wDec, ids)
  kernels.scaleInPlace(rows, -1)
  kernels.free(ids)
  return rows
}

function requireEdits(sae: Sae, edits: readonly FeatureEdit[]): void {
  if (edits.length === 0)
    throw new MonosemError('config', 'steering: expected at least one feature, got none')
  const seen = new Set<number>()
  for (const { feature, value } of edits) {
    requireFeature(feature, sae.features)
    if (seen.has(feature)) throw new MonosemError('config', `steering: feature ${feature} is named twice`)
    seen.add(feature)
    if (!(Math.abs(value) <= largestValue))
      throw new MonosemError(
        'config',
        `steering: expected a value from -${largestValue} to ${largestValue} for feature ${feature}, got ${value}`,
        { hint: 'values are in units of the feature; its maximum is in the feature store' },
      )
  }
}
