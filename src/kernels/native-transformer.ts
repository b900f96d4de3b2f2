import * as check from './check-transformer.js'
import type { ActivationKind, AttentionOptions, Tensor } from './kernels.js'
import { type Boundary, enqueued } from './native-boundary.js'

/** The number by which the addon knows an activation function. */
const activationNumber = (kind: ActivationKind): number => check.ACTIVATION_KINDS.indexOf(kind)

/** [H, G, head width, scale, soft cap or 0, window or 0] */
const attentionNumbers = (q: Tensor, options: AttentionOptions): number[] => [
  options.heads,
  options.keyValueHeads,
  q.shape[1] / options.heads,
  options.scale,
  options.softCap ?? 0,
  options.window ?? 0,
]

/** The transformer's layers: tensors, then the sizes that follow from their shapes. */
export function transformer(b: Boundary) {
  return { ...products(b), ...norms(b), ...activations(b), ...attention(b), ...losses(b) }
}

function products(b: Boundary) {
  return {
    linearForward: enqueued(b, 'linearForward', check.checkLinearForward, (out, x, w, bias) => [
      ...[out, x, w, bias],
      ...[x.shape[0], ...w.shape],
    ]),
    linearBackward: enqueued(b, 'linearBackward', check.checkLinearBackward, (dx, dW, db, dout, x, w) => [
      ...[dx, dW, db, dout, x, w],
      ...[x.shape[0], ...w.shape],
    ]),
    linearTransposedForward: enqueued(
      b,
      'linearTransposedForward',
      check.checkLinearTransposedForward,
      (out, x, w) => [out, x, w, ...x.shape, w.shape[0]],
    ),
    linearTransposedBackward: enqueued(
      b,
      'linearTransposedBackward',
      check.checkLinearTransposedBackward,
      (dx, dW, dout, x, w) => [dx, dW, dout, x, w, ...x.shape, w.shape[0]],
    ),
    embedForward: enqueued(b, 'embedForward', check.checkEmbedForward, (out, tokens, wE, wPos, t) => [
      ...[out, tokens, wE, wPos],
      ...[...out.shape, t],
    ]),
    embedBackward: enqueued(b, 'embedBackward', check.checkEmbedBackward, (dWE, dWPos, dout, tokens, t) => [
      ...[dWE, dWPos, dout, tokens],
      ...[...dout.shape, t],
    ]),
  }
}

function norms(b: Boundary) {
  return {
    layerNormForward: enqueued(
      b,
      'layerNormForward',
      check.checkLayerNormForward,
      (out, mean, rstd, x, w, bias, epsilon) => [out, mean, rstd, x, w, bias, ...x.shape, epsilon],
    ),
    layerNormBackward: enqueued(
      b,
      'layerNormBackward',
      check.checkLayerNormBackward,
      (dx, dW, db, dout, x, w, mean, rstd) => [dx, dW, db, dout, x, w, mean, rstd, ...x.shape],
    ),
    rmsNormForward: enqueued(b, 'rmsNormForward', check.checkRmsNormForward, (out, rstd, x, w, epsilon) => [
      ...[out, rstd, x, w],
      ...[...x.shape, epsilon],
    ]),
    rmsNormBackward: enqueued(
      b,
      'rmsNormBackward',
      check.checkRmsNormBackward,
      (dx, dW, dout, x, w, rstd) => [...[dx, dW, dout, x, w, rstd], ...x.shape],
    ),
  }
}

function activations(b: Boundary) {
  return {
    activationForward: enqueued(b, 'activationForward', check.checkActivationForward, (out, x, kind) => [
      ...[out, x],
      activationNumber(kind),
    ]),
    activationBackward: enqueued(
      b,
      'activationBackward',
      check.checkActivationBackward,
      (dx, dout, x, kind) => [dx, dout, x, activationNumber(kind)],
    ),
    gatedForward: enqueued(b, 'gatedForward', check.checkGatedForward, (out, gate, up, kind) => [
      ...[out, gate, up],
      activationNumber(kind),
    ]),
    gatedBackward: enqueued(
      b,
      'gatedBackward',
      check.checkGatedBackward,
      (dgate, dup, dout, gate, up, kind) => [dgate, dup, dout, gate, up, activationNumber(kind)],
    ),
    softCapForward: enqueued(b, 'softCapForward', check.checkSoftCapForward, (out, x, cap) => [out, x, cap]),
    softCapBackward: enqueued(b, 'softCapBackward', check.checkSoftCapBackward, (dx, dout, out, cap) => [
      ...[dx, dout, out],
      cap,
    ]),
  }
}

function attention(b: Boundary) {
  const rotary = (out: Tensor, x: Tensor, positions: Tensor, cos: Tensor, sin: Tensor, heads: number) => [
    ...[out, x, positions, cos, sin],
    ...[...x.shape, heads, ...cos.shape],
  ]
  return {
    rotaryForward: enqueued(b, 'rotaryForward', check.checkRotaryForward, rotary),
    rotaryBackward: enqueued(b, 'rotaryBackward', check.checkRotaryBackward, rotary),
    attentionForward: enqueued(
      b,
      'attentionForward',
      check.checkAttentionForward,
      (z, pattern, q, k, v, starts, t, options) => [
        ...[z, pattern, q, k, v, starts],
        ...[q.shape[0] / t, t, ...attentionNumbers(q, options)],
      ],
    ),
    attentionBackward: enqueued(
      b,
      'attentionBackward',
      check.checkAttentionBackward,
      (dq, dk, dv, dz, pattern, q, k, v, starts, options) => [
        ...[dq, dk, dv, dz, pattern, q, k, v, starts],
        ...[pattern.shape[0], pattern.shape[2], ...attentionNumbers(q, options)],
      ],
    ),
    attentionCachedForward: enqueued(
      b,
      'attentionCachedForward',
      check.checkAttentionCachedForward,
      (z, pattern, q, keys, values, sequences, lengths, options) => [
        ...[z, pattern, q, keys, values, sequences, lengths],
        ...[q.shape[0], keys.shape[0], keys.shape[1], ...attentionNumbers(q, options)],
      ],
    ),
  }
}

function losses(b: Boundary) {
  return {
    crossEntropyForward: enqueued(
      b,
      'crossEntropyForward',
      check.checkCrossEntropyForward,
      (losses, logits, targets) => [losses, logits, targets, ...logits.shape],
    ),
    crossEntropyBackward: enqueued(
      b,
      'crossEntropyBackward',
      check.checkCrossEntropyBackward,
      (dlogits, logits, targets, scale) => [dlogits, logits, targets, ...logits.shape, scale],
    ),
    klDivergence: enqueued(b, 'klDivergence', check.checkKlDivergence, (out, p, q) => [
      out,
      p,
      q,
      ...p.shape,
    ]),
  }
}
