import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Codes, SaeActivation, SaeForm, SaeTensors, Tensor } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { expectClose } from './gradient-check.js'
import { plainForward, rowsOf } from './plain-sae.js'
import { D, F, N, plain, RELU_FORM, setup, topkForm } from './sae-setup.js'

const k = createReferenceKernels()

const encode = (params: SaeTensors, x: Tensor, form: SaeForm): Promise<Codes> =>
  k.saeEncode(params, x, form, null)

const formOf = (activation: SaeActivation, subtractDecoderBias = true): SaeForm => ({
  activation,
  subtractDecoderBias,
})

const ACTIVATIONS: SaeActivation[] = [
  { kind: 'relu' },
  { kind: 'topk', k: 3 },
  { kind: 'batchtopk', k: 2 },
  { kind: 'jumprelu' },
  { kind: 'jumprelu', logThreshold: true },
  { kind: 'gated' },
]

/** Codes as a matrix [N, F] */
function dense({ rowOffsets, featureIds, values }: Codes): number[][] {
  return Array.from({ length: rowOffsets.length - 1 }, (_, n) => {
    const row = Array<number>(F).fill(0)
    for (let i = rowOffsets[n]; i < rowOffsets[n + 1]; i++) row[featureIds[i]] = values[i]
    return row
  })
}

test('codes and reconstructions are those of the equations, for every form', async () => {
  for (const activation of ACTIVATIONS) {
    for (const layout of [{}, { skip: true }, { dOut: 3 }, { dOut: 7, skip: true }]) {
      const form = formOf(activation, layout.dOut === undefined)
      const { training, x, y } = setup(k, 22, { form }, layout)
      const { params } = training
      const [xHat, decoded, losses] = [k.zeros(y.shape), k.zeros(y.shape), k.zeros([N])]
      const codes = await encode(params, x, form)
      k.saeDecode(decoded, params, codes, layout.skip ? x : null)
      k.saeReconstruct(xHat, losses, params, x, y, form, training.packed)
      const [xs, ys] = [await k.readF32(x), await k.readF32(y)]
      const expected = plainForward(await plain(k, params), xs, ys, { form })
      expectClose('codes', dense(codes).flat(), expected.f.flat(), 1e-5)
      expectClose('xHat', await k.readF32(xHat), expected.xHats[0].flat(), 1e-5)
      expectClose('decoded', await k.readF32(decoded), await k.readF32(xHat), 1e-6)
      const squares = expected.y.map((row, n) =>
        row.reduce((sum, value, c) => sum + (value - expected.xHats[0][n][c]) ** 2, 0),
      )
      expectClose('losses', await k.readF32(losses), squares, 1e-5)
    }
  }
})

test('a reconstruction may overwrite its input, skip connection included', async () => {
  for (const activation of ACTIVATIONS) {
    const form = formOf(activation)
    const { training, x, y } = setup(k, 30, { form }, { skip: true })
    const xHat = k.zeros([N, D])
    k.saeReconstruct(xHat, null, training.params, x, y, form, null)
    k.saeReconstruct(x, null, training.params, x, y, form, null)
    assert.deepEqual(await k.read(x), await k.read(xHat))
  }
})

test('topk keeps exactly k features per token, the largest, with ids ascending', async () => {
  const { training, x } = setup(k, 19, { form: RELU_FORM })
  k.fill(training.params.bEnc, 50)
  const all = await encode(training.params, x, RELU_FORM)
  assert.equal(all.values.length, N * F)
  const codes = await encode(training.params, x, topkForm(4))
  assert.deepEqual([...codes.rowOffsets], [0, 4, 8, 12, 16, 20, 24])
  rowsOf(codes.featureIds, 4).forEach((ids, n) => {
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    )
    const pre = rowsOf(all.values, F)[n]
    const threshold = [...pre].sort((a, b) => b - a)[3]
    assert.deepEqual(
      ids,
      pre.map((_, j) => j).filter((j) => pre[j] >= threshold),
    )
    assert.deepEqual(
      rowsOf(codes.values, 4)[n],
      ids.map((j) => pre[j]),
    )
  })
})

test('topk keeps fewer than k features when fewer are positive, and none for a silent token', async () => {
  const { training, x } = setup(k, 20, { form: RELU_FORM })
  k.write(training.params.bEnc, Float32Array.of(-99, -99, 50, -99, -99, -99, 60, -99, -99))
  const codes = await encode(training.params, x, topkForm(5))
  assert.deepEqual([...codes.featureIds.subarray(0, 4)], [2, 6, 2, 6])
  k.fill(training.params.bEnc, -99)
  const silent = await encode(training.params, x, RELU_FORM)
  assert.deepEqual([...silent.rowOffsets], [0, 0, 0, 0, 0, 0, 0])
})

test('among equal pre-activations the lower feature ids win, and 0 is not active', async () => {
  const { training, x } = setup(k, 21, { form: RELU_FORM })
  k.fill(training.params.wEnc, 0)
  k.write(training.params.bEnc, Float32Array.of(0, 1, 2, 1, 2, 1, 2, 0, -1))
  const top = async (count: number): Promise<number[]> => {
    const codes = await encode(training.params, k.rows(x, 0, 1), topkForm(count))
    return [...codes.featureIds]
  }
  assert.deepEqual(await top(2), [2, 4])
  assert.deepEqual(await top(4), [1, 2, 4, 6])
  assert.deepEqual(await top(9), [1, 2, 3, 4, 5, 6])
})

test('batchtopk keeps the N k largest of the batch, among equals those of earlier tokens and lower ids', async () => {
  const { training, x } = setup(k, 31, { form: RELU_FORM })
  const codes = dense(await encode(training.params, x, RELU_FORM)).flat()
  const batch = dense(await encode(training.params, x, formOf({ kind: 'batchtopk', k: 2 }))).flat()
  const cut = [...codes].sort((a, b) => b - a)[2 * N - 1]
  assert.deepEqual(
    batch,
    codes.map((value) => (value >= cut ? value : 0)),
  )
  const perToken = rowsOf(batch, F).map((row) => row.filter((value) => value > 0).length)
  assert.ok(new Set(perToken).size > 1, String(perToken))

  k.fill(training.params.wEnc, 0)
  k.write(training.params.bEnc, Float32Array.of(0, 1, 2, 1, 2, 1, 1, 0, -1))
  const equal = await encode(training.params, x, formOf({ kind: 'batchtopk', k: 3 }))
  // 12 twos and 6 of the ones: 4 of the first token, 2 of the second
  assert.deepEqual([...equal.rowOffsets], [0, 6, 10, 12, 14, 16, 18])
  assert.deepEqual([...equal.featureIds.subarray(6, 12)], [1, 2, 3, 4, 2, 4])
})

test('jumprelu is strict: a pre-activation of exactly theta is inactive', async () => {
  const form = formOf({ kind: 'jumprelu' }, false)
  const { training, x } = setup(k, 32, { form })
  k.fill(training.params.wEnc, 0)
  k.fill(training.params.threshold!, 0.5)
  k.write(training.params.bEnc, Float32Array.of(0.5, 0.625, 0.375, 0, -1, 0.5, 2, 0.5, 0.5))
  const codes = await encode(training.params, k.rows(x, 0, 1), form)
  assert.deepEqual([...codes.featureIds], [1, 6])
  assert.deepEqual([...codes.values], [0.625, 2])
})

test('saeEncodeFeatures gives the asked features in the asked order, topk without its selection', async () => {
  const ids = Int32Array.of(7, 0, 3, 3, F - 1)
  for (const activation of ACTIVATIONS) {
    const form = formOf(activation)
    const plainForm = 'k' in activation ? RELU_FORM : form
    const { training, x } = setup(k, 33, { form })
    const out = k.zeros([N, ids.length])
    k.saeEncodeFeatures(out, training.params, x, ids, form)
    const codes = dense(await encode(training.params, x, plainForm))
    const expected = codes.map((row) => Array.from(ids, (id) => row[id]))
    expectClose('features', await k.readF32(out), expected.flat(), 1e-6)
  }
})

test('a packed W_enc changes nothing here, whatever precision was asked for', async () => {
  const { training, x } = setup(k, 34, { form: RELU_FORM })
  const { params } = training
  const packed = k.saePack(params.wEnc, 'int8', k.tensor(new Float32Array(D).fill(2), [D]))
  assert.equal(packed.precision, 'fp32')
  k.scaleInPlace(params.wEnc, 2)
  k.saeRepack(packed, params.wEnc)
  assert.deepEqual(
    await k.saeEncode(params, x, RELU_FORM, packed),
    await k.saeEncode(params, x, RELU_FORM, null),
  )
})

test('mixInPlace moves a tensor a part of the way to another of as many elements', async () => {
  const y = k.tensor(Float32Array.of(0, 1, 2, 3), [2, 2])
  k.mixInPlace(y, k.tensor(Float32Array.of(4, 1, 0, -1), [4]), 0.25)
  assert.deepEqual([...(await k.readF32(y))], [1, 1, 1.5, 2])
  k.mixInPlace(y, k.tensor(Float32Array.of(5, 6, 7, 8), [4]), 1)
  assert.deepEqual([...(await k.readF32(y))], [5, 6, 7, 8])
})
