import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttentionOptions, Tensor } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { erf } from '../../src/kernels/reference-activation.js'
import { dotProduct, expectClose, expectGradient } from './gradient-check.js'
import { RandomTensors } from './random-tensors.js'

/* Layers of the transformer families: what they compute by hand, and their gradients by finite differences. */

const k = createReferenceKernels()

const vector = (...values: number[]): Tensor => k.tensor(Float32Array.from(values), [values.length])
const ids = (...values: number[]): Tensor => k.tensor(Int32Array.from(values), [values.length])
const read = (t: Tensor): Promise<Float32Array> => k.readF32(t)

/** A loss for gradient checks: the output of a forward pass times fixed weights. */
function weighted(forward: () => void, out: Tensor, weights: Tensor): () => Promise<number> {
  return async () => {
    forward()
    return dotProduct(await read(out), await read(weights))
  }
}

/** Plain attention of heads of this width. */
const heads = (count: number, width: number): AttentionOptions => ({
  heads: count,
  keyValueHeads: count,
  scale: 1 / Math.sqrt(width),
  softCap: null,
  window: null,
})

test('activations match published values', async () => {
  expectClose(
    'erf',
    [erf(0.5), erf(-1), erf(3), erf(7)],
    [0.5204998778, -0.8427007929, 0.9999779095, 1],
    1e-9,
  )
  const out = k.zeros([3])
  k.activationForward(out, vector(1, -1, 3), 'gelu')
  expectClose('erf gelu', await read(out), [0.8413447, -0.1586553, 2.9959503], 1e-6)
  k.activationForward(out, vector(1, -1, 3), 'gelu_tanh')
  expectClose('tanh gelu', await read(out), [0.841192, -0.158808, 2.9963627], 1e-6)
  k.activationForward(out, vector(1, -1, 3), 'silu')
  expectClose('silu', await read(out), [0.7310586, -0.2689414, 2.8577224], 1e-6)
  k.activationForward(out, vector(1, -1, 3), 'relu')
  expectClose('relu', await read(out), [1, 0, 3], 0)
})

test('activations, gated activations and the soft cap have the gradients of their forward passes', async () => {
  for (const kind of ['gelu', 'gelu_tanh', 'silu', 'relu'] as const) {
    const random = new RandomTensors(k, 4)
    const [x, up, dout] = [random.signed([40], 4), random.signed([40]), random.signed([40])]
    const [y, dx, dup] = [k.zeros([40]), k.zeros([40]), k.zeros([40])]
    k.activationBackward(dx, dout, x, kind)
    const plain = weighted(() => k.activationForward(y, x, kind), y, dout)
    await expectGradient(k, `dx ${kind}`, x, dx, plain)
    k.gatedBackward(dx, dup, dout, x, up, kind)
    const gated = weighted(() => k.gatedForward(y, x, up, kind), y, dout)
    await expectGradient(k, `dgate ${kind}`, x, dx, gated)
    await expectGradient(k, `dup ${kind}`, up, dup, gated)
  }
  const random = new RandomTensors(k, 5)
  const [x, dout, y, dx] = [random.signed([40], 4), random.signed([40]), k.zeros([40]), k.zeros([40])]
  const capped = weighted(() => k.softCapForward(y, x, 2), y, dout)
  await capped()
  expectClose(
    'capped',
    await read(y),
    Float32Array.from(await read(x), (v) => 2 * Math.tanh(v / 2)),
    1e-6,
  )
  k.softCapBackward(dx, dout, y, 2)
  await expectGradient(k, 'dx soft cap', x, dx, capped)
})

test('rmsNorm gives rows a mean square of w^2 and has the gradients of its forward pass', async () => {
  const random = new RandomTensors(k, 16)
  const [x, w, dout] = [random.signed([3, 8], 3), random.signed([8]), random.signed([3, 8])]
  const [y, rstd, dx, dw] = [k.zeros([3, 8]), k.zeros([3]), k.zeros([3, 8]), k.zeros([8])]
  const ones = k.zeros([8])
  k.fill(ones, 1)
  k.rmsNormForward(y, rstd, x, ones, 0)
  const values = await read(y)
  for (let r = 0; r < 3; r++) {
    const squares = values.slice(8 * r, 8 * r + 8).reduce((sum, v) => sum + v * v, 0)
    expectClose('mean square', [squares / 8], [1], 1e-6)
  }
  const loss = weighted(() => k.rmsNormForward(y, rstd, x, w, 1e-5), y, dout)
  await loss()
  k.rmsNormBackward(dx, dw, dout, x, w, rstd)
  await expectGradient(k, 'dx', x, dx, loss)
  await expectGradient(k, 'dw', w, dw, loss)
})

test('rotary turns the first R dimensions of each head by the angle of the position, and back', async () => {
  // one head of width 5, of which 4 dimensions turn: the pairs are (0, 2) and (1, 3)
  const x = k.tensor(new Float32Array([1, 2, 3, 4, 5]), [1, 5])
  const angles = [0.5, 0.25]
  const [cos, sin] = [Math.cos, Math.sin].map((f) =>
    k.tensor(new Float32Array([0, 0, ...angles.map(f)]), [2, 2]),
  )
  const [y, back, position] = [k.zeros([1, 5]), k.zeros([1, 5]), ids(1)]
  k.rotaryForward(y, x, position, cos, sin, 1)
  const [a, b] = angles
  const turned = [
    Math.cos(a) - 3 * Math.sin(a),
    2 * Math.cos(b) - 4 * Math.sin(b),
    3 * Math.cos(a) + Math.sin(a),
    4 * Math.cos(b) + 2 * Math.sin(b),
    5,
  ]
  expectClose('turned', await read(y), turned, 1e-6)
  k.rotaryBackward(back, y, position, cos, sin, 1)
  expectClose('back', await read(back), [1, 2, 3, 4, 5], 1e-6)
})

test('a linear layer stored by output has the values and gradients of one that is transposed', async () => {
  const random = new RandomTensors(k, 17)
  const [x, w, dout] = [random.signed([3, 5]), random.signed([4, 5]), random.signed([3, 4])]
  const [turned, y, expected] = [k.zeros([5, 4]), k.zeros([3, 4]), k.zeros([3, 4])]
  k.transpose(turned, w)
  const loss = weighted(() => k.linearTransposedForward(y, x, w), y, dout)
  await loss()
  k.linearForward(expected, x, turned, null)
  expectClose('y', await read(y), await read(expected), 1e-6)
  const [dx, dW] = [k.zeros([3, 5]), k.zeros([4, 5])]
  k.linearTransposedBackward(dx, dW, dout, x, w)
  await expectGradient(k, 'dx', x, dx, loss)
  await expectGradient(k, 'dW', w, dW, loss)
})

test('attention looks only at its own document, its window and the past, with weights that sum to 1', async () => {
  const random = new RandomTensors(k, 5)
  const [b, h, t, width] = [2, 2, 6, 3]
  const shape = [b * t, h * width]
  const starts = [0, 0, 2, 2, 2, 5, 0, 1, 1, 1, 1, 1]
  const window = 4
  const [z, pattern] = [k.zeros(shape), random.signed([b, h, t, t])]
  k.attentionForward(
    z,
    pattern,
    random.signed(shape),
    random.signed(shape),
    random.signed(shape),
    ids(...starts),
    t,
    { ...heads(h, width), window },
  )
  const weights = await k.readF32(pattern)
  for (let row = 0; row < b * h * t; row++) {
    const [sequence, to] = [Math.floor(row / (h * t)), row % t]
    let sum = 0
    for (let from = 0; from < t; from++) {
      const weight = weights[row * t + from]
      const allowed = from <= to && from >= starts[sequence * t + to] && from > to - window
      assert.equal(weight > 0, allowed, `pattern row ${row}, from ${from}: ${weight}`)
      sum += weight
    }
    assert.ok(Math.abs(sum - 1) < 1e-6)
  }
})

test('attention of equal scores averages the values it may see', async () => {
  const [zero, v, z] = [k.zeros([4, 1]), k.tensor(new Float32Array([1, 2, 4, 8]), [4, 1]), k.zeros([4, 1])]
  k.attentionForward(z, null, zero, zero, v, ids(0, 0, 1, 3), 4, heads(1, 1))
  expectClose('z', await read(z), [1, 1.5, 3, 8], 1e-6)
})

test('attention scales and caps its scores', async () => {
  const q = k.tensor(new Float32Array([0, 0, 0, 0, 2, 0, 0, 0]), [2, 4])
  const key = k.tensor(new Float32Array([3, 0, 0, 0, 0, 0, 0, 0]), [2, 4])
  const pattern = k.zeros([1, 1, 2, 2])
  for (const softCap of [null, 2]) {
    k.attentionForward(k.zeros([2, 4]), pattern, q, key, key, null, 2, { ...heads(1, 4), softCap })
    const odds = Math.exp(softCap === null ? 3 : 2 * Math.tanh(3 / 2))
    expectClose('pattern', await read(pattern), [1, 0, odds / (1 + odds), 1 / (1 + odds)], 1e-6)
  }
})

test('grouped heads read the key head of their group', async () => {
  const random = new RandomTensors(k, 14)
  const [q, key, v] = [random.signed([5, 12]), random.signed([5, 6]), random.signed([5, 6])]
  const [grouped, alone] = [k.zeros([5, 12]), k.zeros([5, 12])]
  k.attentionForward(grouped, null, q, key, v, null, 5, { ...heads(4, 3), keyValueHeads: 2 })
  const repeated = (t: Float32Array): Tensor =>
    k.tensor(
      Float32Array.from({ length: 60 }, (_, i) => {
        const [row, head, c] = [Math.floor(i / 12), Math.floor((i % 12) / 3), i % 3]
        return t[row * 6 + Math.floor(head / 2) * 3 + c]
      }),
      [5, 12],
    )
  k.attentionForward(alone, null, q, repeated(await read(key)), repeated(await read(v)), null, 5, heads(4, 3))
  assert.deepEqual(await read(grouped), await read(alone))
})

test('attention over a cache gives what attention over the sequence gives', async () => {
  const random = new RandomTensors(k, 15)
  const [t, options] = [6, { ...heads(4, 2), keyValueHeads: 2, softCap: 1.5, window: 3 }]
  const [q, key, v] = [random.signed([t, 8], 3), random.signed([t, 4], 3), random.signed([t, 4])]
  const [whole, one] = [k.zeros([t, 8]), k.zeros([t, 8])]
  k.attentionForward(whole, null, q, key, v, null, t, options)
  const cache = (x: Tensor): Tensor => k.reshape(x, [1, t, 4])
  const lengths = ids(1, 2, 3, 4, 5, 6)
  k.attentionCachedForward(one, null, q, cache(key), cache(v), ids(0, 0, 0, 0, 0, 0), lengths, options)
  assert.deepEqual(await read(one), await read(whole))
})

test('attention has the gradients of its forward pass', async () => {
  const random = new RandomTensors(k, 6)
  const starts = ids(0, 0, 2, 2, 0, 1, 1, 1)
  const cases: [Tensor | null, Partial<AttentionOptions>][] = [
    [starts, {}],
    [null, {}],
    [null, { keyValueHeads: 1 }],
    [null, { softCap: 1.5, scale: 1 }],
    [starts, { window: 2, softCap: 0.5 }],
  ]
  for (const [first, choices] of cases) {
    const options = { ...heads(2, 3), ...choices }
    const [wide, narrow] = [
      [8, 6],
      [8, 3 * options.keyValueHeads],
    ]
    const [q, key, v, dz] = [wide, narrow, narrow, wide].map((shape) => random.signed(shape))
    const [z, pattern] = [k.zeros(wide), k.zeros([2, 2, 4, 4])]
    const loss = weighted(() => k.attentionForward(z, pattern, q, key, v, first, 4, options), z, dz)
    await loss()
    const [dq, dk, dv] = [wide, narrow, narrow].map((shape) => random.signed(shape))
    k.attentionBackward(dq, dk, dv, dz, pattern, q, key, v, first, options)
    await expectGradient(k, 'dq', q, dq, loss)
    await expectGradient(k, 'dk', key, dk, loss)
    await expectGradient(k, 'dv', v, dv, loss)
  }
})
