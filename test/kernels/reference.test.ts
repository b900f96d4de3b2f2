import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBf16, toBf16 } from '../../src/kernels/bf16.js'
import type { Tensor } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { dotProduct, expectClose, expectGradient } from './gradient-check.js'
import { RandomTensors } from './random-tensors.js'

const k = createReferenceKernels()

const vector = (...values: number[]): Tensor => k.tensor(Float32Array.from(values), [values.length])
const ids = (...values: number[]): Tensor => k.tensor(Int32Array.from(values), [values.length])
const read = async (t: Tensor): Promise<number[]> => [...(await k.read(t))]

/** A loss for gradient checks: the output of a forward pass times fixed weights. */
function weighted(forward: () => void, out: Tensor, weights: Tensor): () => Promise<number> {
  return async () => {
    forward()
    return dotProduct(await k.readF32(out), await k.readF32(weights))
  }
}

test('Adam makes the steps that pen and paper make', async () => {
  const [p, m, v] = [vector(1), vector(0), vector(0)]
  const options = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, step: 1 }
  k.adam(p, vector(0.5), m, v, options, null)
  expectClose('p', await read(p), [0.9], 1e-6)
  expectClose('m', await read(m), [0.05], 1e-6)
  expectClose('v', await read(v), [0.00025], 1e-6)
  // m = 0.9 * 0.05 - 0.1 = -0.055, mhat = -0.055 / 0.19; v = 0.00124975, vhat = v / 0.001999
  k.adam(p, vector(-1), m, v, { ...options, step: 2 }, null)
  expectClose('p', await read(p), [0.93661], 1e-5)
})

test('weight decay is decoupled from the gradient and gradScale multiplies the gradient only', async () => {
  const options = { learningRate: 0.1, beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0.01, step: 5 }
  const [p, m, v] = [vector(2), vector(9), vector(9)]
  k.adam(p, vector(3), m, v, options, vector(77, 0.5))
  expectClose('p', await read(p), [2 - 0.1 * (1.5 / 2.5 + 0.02)], 1e-6)
  expectClose('m and v', [...(await read(m)), ...(await read(v))], [1.5, 2.25], 1e-6)
})

test('clipNorm gives the global norm, never scales up, and copes with norm 0', async () => {
  const out = k.zeros([2])
  k.clipNorm(out, [vector(3), vector(0, 4)], 1)
  expectClose('clipped', await read(out), [5, 0.2], 1e-6)
  k.clipNorm(out, [vector(3), vector(0, 4)], 50)
  assert.deepEqual(await read(out), [5, 1])
  k.clipNorm(out, [vector(0, 0)], 1)
  assert.deepEqual(await read(out), [0, 1])
})

test('bf16 rounds to nearest, ties to even, and keeps NaN and infinity', () => {
  const round = (x: number): number => fromBf16(toBf16(x))
  assert.equal(round(1 + 2 ** -8), 1)
  assert.equal(round(1 + 3 * 2 ** -8), 1 + 2 ** -6)
  assert.equal(round(1 + 2 ** -8 + 2 ** -20), 1 + 2 ** -7)
  assert.equal(round(-2.5), -2.5)
  assert.equal(round(3.4e38), Infinity)
  assert.ok(Number.isNaN(round(NaN)))
  for (let bits = 0; bits < 65536; bits += 7) {
    if (!Number.isNaN(fromBf16(bits))) assert.equal(toBf16(fromBf16(bits)), bits)
  }
})

test('tensor, write and read copy, so later changes of the arrays do not matter', async () => {
  const data = new Float32Array([1, 2])
  const t = k.tensor(data, [2])
  data[0] = 9
  const first = await k.read(t)
  first[1] = 7
  assert.deepEqual(await read(t), [1, 2])
  k.write(t, data)
  data[1] = 5
  assert.deepEqual(await read(t), [9, 2])
})

test('linear has the gradients of its forward pass, and adds to those of parameters', async () => {
  const random = new RandomTensors(k, 1)
  const [x, w, b, dout] = [
    random.signed([3, 4]),
    random.signed([4, 5]),
    random.signed([5]),
    random.signed([3, 5]),
  ]
  const [out, dx, dW, db] = [k.zeros([3, 5]), random.signed([3, 4]), k.zeros([4, 5]), k.zeros([5])]
  const loss = weighted(() => k.linearForward(out, x, w, b), out, dout)
  k.linearBackward(dx, dW, db, dout, x, w)
  await expectGradient(k, 'dx', x, dx, loss)
  await expectGradient(k, 'dW', w, dW, loss)
  await expectGradient(k, 'db', b, db, loss)
  const once = await read(dW)
  k.linearBackward(null, dW, null, dout, x, w)
  expectClose(
    'dW twice',
    await read(dW),
    once.map((value) => 2 * value),
    1e-6,
  )
})

test('embedding has the gradients of its forward pass', async () => {
  const random = new RandomTensors(k, 2)
  const tokens = ids(2, 0, 2, 4, 4, 1)
  const [wE, wPos, dout] = [random.signed([5, 3]), random.signed([4, 3]), random.signed([6, 3])]
  const [out, dWE, dWPos] = [k.zeros([6, 3]), k.zeros([5, 3]), k.zeros([4, 3])]
  const loss = weighted(() => k.embedForward(out, tokens, wE, wPos, 3), out, dout)
  k.embedBackward(dWE, dWPos, dout, tokens, 3)
  await expectGradient(k, 'dWE', wE, dWE, loss)
  await expectGradient(k, 'dWPos', wPos, dWPos, loss)
})

test('layerNorm output has mean 0 and variance 1, and its gradients are those of its forward pass', async () => {
  const random = new RandomTensors(k, 3)
  const [x, w, b, dout] = [
    random.signed([3, 7], 2),
    random.signed([7]),
    random.signed([7]),
    random.signed([3, 7]),
  ]
  const [out, mean, rstd] = [k.zeros([3, 7]), k.zeros([3]), k.zeros([3])]
  const [ones, none] = [k.zeros([7]), k.zeros([7])]
  k.fill(ones, 1)
  k.layerNormForward(out, mean, rstd, x, ones, none, 0)
  const normal = await k.readF32(out)
  for (let n = 0; n < 3; n++) {
    const row = normal.subarray(n * 7, n * 7 + 7)
    assert.ok(Math.abs(dotProduct(row, [1, 1, 1, 1, 1, 1, 1])) < 1e-5)
    assert.ok(Math.abs(dotProduct(row, row) - 7) < 1e-5)
  }
  const loss = weighted(() => k.layerNormForward(out, mean, rstd, x, w, b, 1e-5), out, dout)
  await loss()
  const [dx, dW, db] = [k.zeros([3, 7]), k.zeros([7]), k.zeros([7])]
  k.layerNormBackward(dx, dW, db, dout, x, w, mean, rstd)
  await expectGradient(k, 'dx', x, dx, loss)
  await expectGradient(k, 'dW', w, dW, loss)
  await expectGradient(k, 'db', b, db, loss)
})

test('cross-entropy of even logits is ln V, targets of -1 count for nothing', async () => {
  const [losses, dlogits] = [k.zeros([2]), k.zeros([2, 4])]
  k.crossEntropyForward(losses, k.zeros([2, 4]), ids(3, -1))
  expectClose('losses', await read(losses), [Math.log(4), 0], 1e-6)
  k.crossEntropyBackward(dlogits, k.zeros([2, 4]), ids(3, -1), 2)
  expectClose('dlogits', await read(dlogits), [0.5, 0.5, 0.5, -1.5, 0, 0, 0, 0], 1e-6)
})

test('cross-entropy has the gradient of its forward pass, in place too, and survives large logits', async () => {
  const random = new RandomTensors(k, 7)
  const [logits, targets, losses] = [random.signed([3, 5], 3), ids(4, -1, 0), k.zeros([3])]
  const weights = k.tensor(new Float32Array([0.25, 0.25, 0.25]), [3])
  const dlogits = k.zeros([3, 5])
  k.crossEntropyBackward(dlogits, logits, targets, 0.25)
  const loss = weighted(() => k.crossEntropyForward(losses, logits, targets), losses, weights)
  await expectGradient(k, 'dlogits', logits, dlogits, loss)
  k.crossEntropyBackward(logits, logits, targets, 0.25)
  assert.deepEqual(await read(logits), await read(dlogits))
  const one = k.zeros([1])
  k.crossEntropyForward(one, k.tensor(new Float32Array([1e4, 0]), [1, 2]), ids(1))
  expectClose('large', await read(one), [1e4], 1e-6)
})

test('the divergence of a distribution from itself is 0, and of two coins what it should be', async () => {
  const random = new RandomTensors(k, 8)
  const out = k.zeros([2])
  const p = random.signed([2, 9], 4)
  k.klDivergence(out, p, p)
  expectClose('self', await read(out), [0, 0], 1)
  const coin = (head: number): Tensor =>
    k.tensor(Float32Array.from([Math.log(head), Math.log(1 - head)]), [1, 2])
  const single = k.zeros([1])
  k.klDivergence(single, coin(0.75), coin(0.5))
  expectClose('coins', await read(single), [0.75 * Math.log(1.5) + 0.25 * Math.log(0.5)], 1e-5)
})

test('gatherRows and scatterRows undo each other', async () => {
  const random = new RandomTensors(k, 9)
  const [table, order] = [random.signed([6, 2]), ids(5, 0, 3, 1, 4, 2)]
  const [picked, back] = [k.zeros([6, 2]), k.zeros([6, 2])]
  k.gatherRows(picked, table, order)
  k.scatterRows(back, picked, order)
  const values = await read(table)
  assert.deepEqual((await read(picked)).slice(0, 2), values.slice(10))
  assert.deepEqual(await read(back), values)
})

test('reading waits in a later turn of the event loop, so timers are served between operations', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  for (let i = 0; i < 200; i++) await k.read(vector(1))
  clearInterval(timer)
  assert.ok(turns > 0)
})
