import {
  expectInteger,
  expectInts,
  expectNumber,
  expectSameCount,
  expectTensor,
  FLOATS,
  misfit,
  shapeText,
} from './check.js'
import type { ActivationKind, AttentionOptions, DType, Tensor } from './kernels.js'

/* Argument checks of the transformer's layers; see check.ts. */

export function checkLinearForward(out: Tensor, x: Tensor, w: Tensor, b: Tensor | null): void {
  const [n, i] = expectTensor('linearForward', 'x', x, ['N', 'I'])
  const [, o] = expectTensor('linearForward', 'out', out, [n, 'O'])
  expectTensor('linearForward', 'w', w, [i, o], FLOATS)
  if (b !== null) expectTensor('linearForward', 'b', b, [o])
}

export function checkLinearBackward(
  dx: Tensor | null,
  dW: Tensor | null,
  db: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
): void {
  const [n, i] = expectTensor('linearBackward', 'x', x, ['N', 'I'])
  const [, o] = expectTensor('linearBackward', 'dout', dout, [n, 'O'])
  expectTensor('linearBackward', 'w', w, [i, o], FLOATS)
  if (dx !== null) expectTensor('linearBackward', 'dx', dx, [n, i])
  if (dW !== null) expectTensor('linearBackward', 'dW', dW, [i, o])
  if (db !== null) expectTensor('linearBackward', 'db', db, [o])
}

export function checkLinearTransposedForward(out: Tensor, x: Tensor, w: Tensor): void {
  const op = 'linearTransposedForward'
  const [n, i] = expectTensor(op, 'x', x, ['N', 'I'])
  const [, o] = expectTensor(op, 'out', out, [n, 'O'])
  expectTensor(op, 'w', w, [o, i], FLOATS)
}

export function checkLinearTransposedBackward(
  dx: Tensor | null,
  dW: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
): void {
  const op = 'linearTransposedBackward'
  const [n, i] = expectTensor(op, 'x', x, ['N', 'I'])
  const [, o] = expectTensor(op, 'dout', dout, [n, 'O'])
  expectTensor(op, 'w', w, [o, i], FLOATS)
  if (dx !== null) expectTensor(op, 'dx', dx, [n, i])
  if (dW !== null) expectTensor(op, 'dW', dW, [o, i])
}

export function checkEmbedForward(
  out: Tensor,
  tokens: Tensor,
  wE: Tensor,
  wPos: Tensor | null,
  t: number,
): void {
  const [n, d] = expectTensor('embedForward', 'out', out, ['N', 'D'])
  expectInts('embedForward', 'tokens', tokens, [n])
  expectTensor('embedForward', 'wE', wE, ['V', d], FLOATS)
  expectPositions('embedForward', 'wPos', wPos, t, d, FLOATS)
}

export function checkEmbedBackward(
  dWE: Tensor,
  dWPos: Tensor | null,
  dout: Tensor,
  tokens: Tensor,
  t: number,
): void {
  const [n, d] = expectTensor('embedBackward', 'dout', dout, ['N', 'D'])
  expectInts('embedBackward', 'tokens', tokens, [n])
  expectTensor('embedBackward', 'dWE', dWE, ['V', d])
  expectPositions('embedBackward', 'dWPos', dWPos, t, d, ['f32'])
}

function expectPositions(
  op: string,
  name: string,
  wPos: Tensor | null,
  t: number,
  d: number,
  dtypes: readonly DType[],
): void {
  expectInteger(op, 't', t, 1)
  if (wPos === null) return
  const [rows] = expectTensor(op, name, wPos, ['T', d], dtypes)
  if (rows < t) throw misfit(op, `${name} with at least ${t} rows`, shapeText(wPos.shape))
}

export function checkLayerNormForward(
  out: Tensor,
  mean: Tensor,
  rstd: Tensor,
  x: Tensor,
  w: Tensor,
  b: Tensor,
  epsilon: number,
): void {
  const [n, d] = expectTensor('layerNormForward', 'x', x, ['N', 'D'])
  expectTensor('layerNormForward', 'out', out, [n, d])
  expectTensor('layerNormForward', 'mean', mean, [n])
  expectTensor('layerNormForward', 'rstd', rstd, [n])
  expectTensor('layerNormForward', 'w', w, [d])
  expectTensor('layerNormForward', 'b', b, [d])
  expectNumber('layerNormForward', 'epsilon', epsilon, 0)
}

export function checkLayerNormBackward(
  dx: Tensor,
  dW: Tensor | null,
  db: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
  mean: Tensor,
  rstd: Tensor,
): void {
  const [n, d] = expectTensor('layerNormBackward', 'x', x, ['N', 'D'])
  expectTensor('layerNormBackward', 'dx', dx, [n, d])
  expectTensor('layerNormBackward', 'dout', dout, [n, d])
  expectTensor('layerNormBackward', 'w', w, [d])
  expectTensor('layerNormBackward', 'mean', mean, [n])
  expectTensor('layerNormBackward', 'rstd', rstd, [n])
  if (dW !== null) expectTensor('layerNormBackward', 'dW', dW, [d])
  if (db !== null) expectTensor('layerNormBackward', 'db', db, [d])
}

export function checkRmsNormForward(out: Tensor, rstd: Tensor, x: Tensor, w: Tensor, epsilon: number): void {
  const [n, d] = expectTensor('rmsNormForward', 'x', x, ['N', 'D'])
  expectTensor('rmsNormForward', 'out', out, [n, d])
  expectTensor('rmsNormForward', 'rstd', rstd, [n])
  expectTensor('rmsNormForward', 'w', w, [d])
  expectNumber('rmsNormForward', 'epsilon', epsilon, 0)
}

export function checkRmsNormBackward(
  dx: Tensor,
  dW: Tensor | null,
  dout: Tensor,
  x: Tensor,
  w: Tensor,
  rstd: Tensor,
): void {
  const [n, d] = expectTensor('rmsNormBackward', 'x', x, ['N', 'D'])
  expectTensor('rmsNormBackward', 'dx', dx, [n, d])
  expectTensor('rmsNormBackward', 'dout', dout, [n, d])
  expectTensor('rmsNormBackward', 'w', w, [d])
  expectTensor('rmsNormBackward', 'rstd', rstd, [n])
  if (dW !== null) expectTensor('rmsNormBackward', 'dW', dW, [d])
}

/** In the order in which the native kernels number them. */
export const ACTIVATION_KINDS: readonly ActivationKind[] = ['gelu', 'gelu_tanh', 'silu', 'relu']

function expectActivation(op: string, kind: ActivationKind): void {
  if (!ACTIVATION_KINDS.includes(kind)) throw misfit(op, `kind ${ACTIVATION_KINDS.join(', ')}`, String(kind))
}

export function checkActivationForward(out: Tensor, x: Tensor, kind: ActivationKind): void {
  expectTensor('activationForward', 'x', x, x.shape)
  expectSameCount('activationForward', 'out', out, 'x', x)
  expectActivation('activationForward', kind)
}

export function checkActivationBackward(dx: Tensor, dout: Tensor, x: Tensor, kind: ActivationKind): void {
  expectTensor('activationBackward', 'x', x, x.shape)
  expectSameCount('activationBackward', 'dx', dx, 'x', x)
  expectSameCount('activationBackward', 'dout', dout, 'x', x)
  expectActivation('activationBackward', kind)
}

export function checkGatedForward(out: Tensor, gate: Tensor, up: Tensor, kind: ActivationKind): void {
  expectTensor('gatedForward', 'gate', gate, gate.shape)
  expectSameCount('gatedForward', 'out', out, 'gate', gate)
  expectSameCount('gatedForward', 'up', up, 'gate', gate)
  expectActivation('gatedForward', kind)
}

export function checkGatedBackward(
  dgate: Tensor,
  dup: Tensor,
  dout: Tensor,
  gate: Tensor,
  up: Tensor,
  kind: ActivationKind,
): void {
  expectTensor('gatedBackward', 'gate', gate, gate.shape)
  for (const [name, t] of Object.entries({ dgate, dup, dout, up }))
    expectSameCount('gatedBackward', name, t, 'gate', gate)
  expectActivation('gatedBackward', kind)
}

export function checkSoftCapForward(out: Tensor, x: Tensor, cap: number): void {
  expectTensor('softCapForward', 'x', x, x.shape)
  expectSameCount('softCapForward', 'out', out, 'x', x)
  expectNumber('softCapForward', 'cap', cap, Number.MIN_VALUE)
}

export function checkSoftCapBackward(dx: Tensor, dout: Tensor, out: Tensor, cap: number): void {
  expectTensor('softCapBackward', 'out', out, out.shape)
  expectSameCount('softCapBackward', 'dx', dx, 'out', out)
  expectSameCount('softCapBackward', 'dout', dout, 'out', out)
  expectNumber('softCapBackward', 'cap', cap, Number.MIN_VALUE)
}

/** Width of one of `heads` heads that lie side by side in the columns of t. */
function expectHeads(op: string, name: string, t: Tensor, heads: number): number {
  expectInteger(op, 'heads', heads, 1)
  if (t.shape[1] % heads !== 0)
    throw misfit(op, `a width of ${name} that ${heads} heads divide`, String(t.shape[1]))
  return t.shape[1] / heads
}

function expectRotary(
  op: string,
  [outName, out]: [string, Tensor],
  [name, x]: [string, Tensor],
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
): void {
  const [n, d] = expectTensor(op, name, x, ['N', 'heads*W'])
  expectTensor(op, outName, out, [n, d])
  expectInts(op, 'positions', positions, [n])
  const width = expectHeads(op, name, x, heads)
  const [s, half] = expectTensor(op, 'cos', cos, ['S', 'R/2'])
  expectTensor(op, 'sin', sin, [s, half])
  if (2 * half > width) throw misfit(op, `at most ${width} / 2 angles a position`, String(half))
}

export function checkRotaryForward(
  out: Tensor,
  x: Tensor,
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
): void {
  expectRotary('rotaryForward', ['out', out], ['x', x], positions, cos, sin, heads)
}

export function checkRotaryBackward(
  dx: Tensor,
  dout: Tensor,
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
): void {
  expectRotary('rotaryBackward', ['dx', dx], ['dout', dout], positions, cos, sin, heads)
}

/** Options of attention that fit together and to q [N, H*W]. Returns G*W, the width of keys and values. */
function expectAttentionOptions(op: string, q: Tensor, options: AttentionOptions): number {
  const { heads, keyValueHeads, scale, softCap, window } = options
  const width = expectHeads(op, 'q', q, heads)
  expectInteger(op, 'keyValueHeads', keyValueHeads, 1, heads)
  if (heads % keyValueHeads !== 0)
    throw misfit(op, `keyValueHeads that divide ${heads} heads`, String(keyValueHeads))
  expectNumber(op, 'scale', scale)
  if (softCap !== null) expectNumber(op, 'softCap', softCap, Number.MIN_VALUE)
  if (window !== null) expectInteger(op, 'window', window, 1)
  return keyValueHeads * width
}

export function checkAttentionForward(
  z: Tensor,
  pattern: Tensor | null,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  starts: Tensor | null,
  t: number,
  options: AttentionOptions,
): void {
  const op = 'attentionForward'
  const [n, d] = expectTensor(op, 'q', q, ['B*T', 'H*W'])
  expectInteger(op, 't', t, 1)
  if (n % t !== 0) throw misfit(op, `t that divides ${n} rows of q`, String(t))
  const shared = expectAttentionOptions(op, q, options)
  expectTensor(op, 'z', z, [n, d])
  expectTensor(op, 'k', k, [n, shared])
  expectTensor(op, 'v', v, [n, shared])
  if (pattern !== null) expectTensor(op, 'pattern', pattern, [n / t, options.heads, t, t])
  if (starts !== null) expectInts(op, 'starts', starts, [n])
}

export function checkAttentionBackward(
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
): void {
  const op = 'attentionBackward'
  const [b, , t] = expectTensor(op, 'pattern', pattern, ['B', 'H', 'T', 'T'])
  const [, d] = expectTensor(op, 'q', q, [b * t, 'H*W'])
  const shared = expectAttentionOptions(op, q, options)
  expectTensor(op, 'pattern', pattern, [b, options.heads, t, t])
  for (const [name, tensor] of Object.entries({ dz, dq })) expectTensor(op, name, tensor, [b * t, d])
  for (const [name, tensor] of Object.entries({ k, v, dk, dv }))
    expectTensor(op, name, tensor, [b * t, shared])
  if (starts !== null) expectInts(op, 'starts', starts, [b * t])
}

export function checkAttentionCachedForward(
  z: Tensor,
  pattern: Tensor | null,
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  sequences: Tensor,
  lengths: Tensor,
  options: AttentionOptions,
): void {
  const op = 'attentionCachedForward'
  const [n, d] = expectTensor(op, 'q', q, ['N', 'H*W'])
  const shared = expectAttentionOptions(op, q, options)
  expectTensor(op, 'z', z, [n, d])
  const [b, s] = expectTensor(op, 'keys', keys, ['B', 'S', shared])
  expectTensor(op, 'values', values, [b, s, shared])
  if (pattern !== null) expectTensor(op, 'pattern', pattern, [n, options.heads, s])
  expectInts(op, 'sequences', sequences, [n])
  expectInts(op, 'lengths', lengths, [n])
}

export function checkCrossEntropyForward(losses: Tensor, logits: Tensor, targets: Tensor): void {
  const [n] = expectTensor('crossEntropyForward', 'logits', logits, ['N', 'V'])
  expectTensor('crossEntropyForward', 'losses', losses, [n])
  expectInts('crossEntropyForward', 'targets', targets, [n])
}

export function checkCrossEntropyBackward(
  dlogits: Tensor,
  logits: Tensor,
  targets: Tensor,
  scale: number,
): void {
  const [n, v] = expectTensor('crossEntropyBackward', 'logits', logits, ['N', 'V'])
  expectTensor('crossEntropyBackward', 'dlogits', dlogits, [n, v])
  expectInts('crossEntropyBackward', 'targets', targets, [n])
  expectNumber('crossEntropyBackward', 'scale', scale)
}

export function checkKlDivergence(out: Tensor, p: Tensor, q: Tensor): void {
  const [n, v] = expectTensor('klDivergence', 'p', p, ['N', 'V'])
  expectTensor('klDivergence', 'q', q, [n, v])
  expectTensor('klDivergence', 'out', out, [n])
}
