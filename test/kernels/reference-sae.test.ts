import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SaeStepOptions, SaeStepStats, SaeTensors, Tensor } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { expectClose, finiteDifferences } from './gradient-check.js'
import { type PlainSae, plainSaeLoss } from './plain-sae.js'
import { RandomTensors } from './random-tensors.js'

const k = createReferenceKernels()
const [N, F, D] = [6, 9, 4]
const KEYS = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const

/** beta1 = 0 makes Adam's first moment the gradient itself; learningRate 0 leaves the parameters alone. */
const GRADIENT_ONLY = { learningRate: 0, beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0, step: 1 }
const RELU: SaeStepOptions = {
  activation: { kind: 'relu' },
  l1Coefficient: 0.7,
  adam: GRADIENT_ONLY,
  unitNormDecoder: false,
}
const TOPK: SaeStepOptions = { ...RELU, activation: { kind: 'topk', k: 2 }, l1Coefficient: 0 }
const AUX = { k: 2, coefficient: 0.8, deadAfterTokens: 100 }
const TRAIN = { learningRate: 0.05, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, step: 1 }

interface Setup {
  params: SaeTensors
  m: SaeTensors
  v: SaeTensors
  fired: Tensor
  x: Tensor
}

function setup(seed: number, count = N): Setup {
  const random = new RandomTensors(k, seed)
  const sae = (scale: number): SaeTensors => ({
    wEnc: random.signed([F, D], scale),
    bEnc: random.signed([F], scale),
    wDec: random.signed([F, D], scale),
    bDec: random.signed([D], scale),
  })
  const fired = k.tensor(Int32Array.of(0, 500, 100, 99, 0, 200, 150, 7, 1000), [F])
  return { params: sae(1), m: sae(0), v: sae(0), fired, x: random.signed([count, D], 2) }
}

const step = (s: Setup, options: SaeStepOptions): Promise<SaeStepStats> =>
  k.saeStep(s.params, s.m, s.v, s.fired, s.x, options)

async function plain(sae: SaeTensors): Promise<PlainSae> {
  const [wEnc, bEnc, wDec, bDec] = await Promise.all(
    KEYS.map(async (key) => Float64Array.from(await k.readF32(sae[key]))),
  )
  return { wEnc, bEnc, wDec, bDec }
}

const rows = (flat: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: flat.length / width }, (_, i) => Array.from(flat).slice(i * width, (i + 1) * width))

const dot = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i], 0)

const CASES: Record<string, SaeStepOptions> = {
  relu: RELU,
  topk: TOPK,
  'topk with as many as there are': { ...TOPK, activation: { kind: 'topk', k: F } },
  'relu with auxK': { ...RELU, auxK: AUX },
  'topk with auxK': { ...TOPK, auxK: AUX },
  'topk with auxK of every dead feature': { ...TOPK, auxK: { ...AUX, k: 99 } },
  'topk with auxK but nothing dead': { ...TOPK, auxK: { ...AUX, deadAfterTokens: 5000 } },
}

for (const [name, options] of Object.entries(CASES)) {
  test(`saeStep's gradients are those of the loss written down plainly: ${name}`, async () => {
    const s = setup(11)
    const [sae, x] = [await plain(s.params), await k.readF32(s.x)]
    const { auxK } = options
    const dead = Array.from(
      await k.read(s.fired),
      (tokens) => auxK !== undefined && tokens >= auxK.deadAfterTokens,
    )
    const { total, residuals } = plainSaeLoss(sae, x, options, dead)
    const stats = await step(s, options)
    const sum =
      stats.squaredError + options.l1Coefficient * stats.l1 + (auxK?.coefficient ?? 0) * stats.auxLoss
    expectClose('loss', [sum], [total], 1e-5)
    assert.equal(stats.dead, dead.filter(Boolean).length)
    for (const key of KEYS) {
      const loss = (): number => plainSaeLoss(sae, x, options, dead, residuals).total
      const expected = await finiteDifferences(sae[key], loss, 1e-5)
      expectClose(`gradient of ${key}`, await k.readF32(s.m[key]), expected, 1e-4)
      expectClose(`unchanged ${key}`, await k.readF32(s.params[key]), sae[key], 0)
    }
  })
}

test('unitNormDecoder removes the gradient along each row before Adam and leaves rows of norm 1', async () => {
  const [free, unit] = [setup(12), setup(12)]
  await step(free, RELU)
  const before = rows(await k.readF32(unit.params.wDec), D)
  await step(unit, { ...RELU, unitNormDecoder: true })
  const [gradient, projected] = [rows(await k.readF32(free.m.wDec), D), rows(await k.readF32(unit.m.wDec), D)]
  const after = rows(await k.readF32(unit.params.wDec), D)
  for (let j = 0; j < F; j++) {
    const along = dot(gradient[j], before[j])
    expectClose(
      'projected',
      projected[j],
      gradient[j].map((g, c) => g - along * before[j][c]),
      1e-5,
    )
    expectClose('norm', [Math.hypot(...after[j])], [1], 1e-6)
    // learning rate 0: only the length changes
    expectClose('direction', [dot(after[j], before[j])], [Math.hypot(...before[j])], 1e-6)
  }
})

test('a silent decoder row of norm 0 stays 0 instead of becoming NaN', async () => {
  const s = setup(13)
  k.fill(k.rows(s.params.wDec, 4, 1), 0)
  k.fill(k.rows(s.params.bEnc, 4, 1), -100)
  await step(s, { ...RELU, adam: TRAIN, unitNormDecoder: true })
  const decoder = rows(await k.readF32(s.params.wDec), D)
  assert.deepEqual(decoder[4], [0, 0, 0, 0])
  for (const j of [0, 1, 2]) expectClose('norm', [Math.hypot(...decoder[j])], [1], 1e-6)
})

test('Adam moves features that are silent too, as their moments decay', async () => {
  const s = setup(14)
  k.fill(k.rows(s.params.bEnc, 3, 1), -100)
  k.fill(k.rows(s.m.wEnc, 3, 1), 1)
  k.fill(k.rows(s.v.wEnc, 3, 1), 4)
  const before = rows(await k.readF32(s.params.wEnc), D)[3]
  await step(s, { ...RELU, adam: TRAIN })
  expectClose('m', rows(await k.readF32(s.m.wEnc), D)[3], [0.9, 0.9, 0.9, 0.9], 1e-6)
  const moved = 0.05 * (9 / Math.sqrt(3.96 / 0.01))
  expectClose(
    'p',
    rows(await k.readF32(s.params.wEnc), D)[3],
    before.map((p) => p - moved),
    1e-5,
  )
})

test('tokensSinceFired is 0 for what fired in the batch, grows by N for the rest, and saturates', async () => {
  const s = setup(15)
  k.fill(k.rows(s.params.bEnc, 5, 2), -100)
  k.write(k.rows(s.fired, 6, 1), Int32Array.of(2 ** 30 - 2))
  const before = await k.read(s.fired)
  const codes = await k.saeEncode(s.params, s.x, TOPK.activation)
  await step(s, TOPK)
  const after = await k.read(s.fired)
  const expected = Array.from(before, (tokens, j) => (codes.featureIds.includes(j) ? 0 : tokens + N))
  expected[6] = 2 ** 30
  assert.deepEqual([...after], expected)
})

test('saeStep reports the batch as it was before the update', async () => {
  const s = setup(16)
  const losses = k.zeros([N])
  k.saeReconstruct(k.zeros([N, D]), losses, s.params, s.x, RELU.activation)
  const codes = await k.saeEncode(s.params, s.x, RELU.activation)
  const stats = await step(s, { ...RELU, adam: TRAIN })
  const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / N
  expectClose('squaredError', [stats.squaredError], [mean(await k.readF32(losses))], 1e-5)
  expectClose('l1', [stats.l1], [mean(codes.values)], 1e-5)
  assert.equal(stats.l0, codes.values.length / N)
  assert.equal(stats.auxLoss, 0)
  assert.equal(stats.dead, 0)
})

test('an auxiliary target without spread gives no auxiliary loss and no gradient', async () => {
  const [one, without] = [setup(17, 1), setup(17, 1)]
  const stats = await step(one, { ...TOPK, auxK: AUX })
  await step(without, TOPK)
  assert.equal(stats.auxLoss, 0)
  assert.ok(stats.dead > 0)
  for (const key of KEYS) assert.deepEqual(await k.read(one.m[key]), await k.read(without.m[key]))
})

test('training lowers the error', async () => {
  for (const base of [RELU, { ...TOPK, auxK: AUX }]) {
    const s = setup(18)
    const errors: number[] = []
    for (let i = 1; i <= 60; i++) {
      const options = { ...base, l1Coefficient: 0, unitNormDecoder: true, adam: { ...TRAIN, step: i } }
      errors.push((await step(s, options)).squaredError)
    }
    assert.ok(errors[59] < 0.2 * errors[0], `${errors[0]} to ${errors[59]}`)
  }
})

test('topk keeps exactly k features per token, the largest, with ids ascending', async () => {
  const s = setup(19)
  k.fill(s.params.bEnc, 50)
  const all = await k.saeEncode(s.params, s.x, { kind: 'relu' })
  assert.equal(all.values.length, N * F)
  const codes = await k.saeEncode(s.params, s.x, { kind: 'topk', k: 4 })
  assert.deepEqual([...codes.rowOffsets], [0, 4, 8, 12, 16, 20, 24])
  rows(codes.featureIds, 4).forEach((ids, n) => {
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    )
    const pre = rows(all.values, F)[n]
    const threshold = [...pre].sort((a, b) => b - a)[3]
    assert.deepEqual(
      ids,
      pre.map((_, j) => j).filter((j) => pre[j] >= threshold),
    )
    assert.deepEqual(
      rows(codes.values, 4)[n],
      ids.map((j) => pre[j]),
    )
  })
})

test('topk keeps fewer than k features when fewer are positive, and none for a silent token', async () => {
  const s = setup(20)
  k.write(s.params.bEnc, Float32Array.of(-99, -99, 50, -99, -99, -99, 60, -99, -99))
  const codes = await k.saeEncode(s.params, s.x, { kind: 'topk', k: 5 })
  assert.deepEqual([...codes.featureIds.subarray(0, 4)], [2, 6, 2, 6])
  k.fill(s.params.bEnc, -99)
  const silent = await k.saeEncode(s.params, s.x, { kind: 'relu' })
  assert.deepEqual([...silent.rowOffsets], [0, 0, 0, 0, 0, 0, 0])
})

test('among equal pre-activations the lower feature ids win, and 0 is not active', async () => {
  const s = setup(21)
  k.fill(s.params.wEnc, 0)
  k.write(s.params.bEnc, Float32Array.of(0, 1, 2, 1, 2, 1, 2, 0, -1))
  const top = async (count: number): Promise<number[]> => {
    const codes = await k.saeEncode(s.params, k.rows(s.x, 0, 1), { kind: 'topk', k: count })
    return [...codes.featureIds]
  }
  assert.deepEqual(await top(2), [2, 4])
  assert.deepEqual(await top(4), [1, 2, 4, 6])
  assert.deepEqual(await top(9), [1, 2, 3, 4, 5, 6])
})

test('decoding the codes gives the reconstruction, and losses are its squared errors', async () => {
  for (const { activation } of [RELU, TOPK]) {
    const s = setup(22)
    const [xHat, decoded, losses] = [k.zeros([N, D]), k.zeros([N, D]), k.zeros([N])]
    k.saeDecode(decoded, s.params, await k.saeEncode(s.params, s.x, activation))
    k.saeReconstruct(xHat, losses, s.params, s.x, activation)
    const sae = await plain(s.params)
    const { residuals } = plainSaeLoss(sae, await k.readF32(s.x), { ...RELU, activation }, [])
    const x = await k.readF32(s.x)
    expectClose(
      'xHat',
      await k.readF32(xHat),
      x.map((value, i) => value - residuals[i]),
      1e-5,
    )
    expectClose('decoded', await k.readF32(decoded), await k.readF32(xHat), 1e-6)
    const squares = rows(residuals, D).map((row) => dot(row, row))
    expectClose('losses', await k.readF32(losses), squares, 1e-5)
    k.saeReconstruct(s.x, null, s.params, s.x, activation)
    assert.deepEqual(await k.read(s.x), await k.read(xHat))
  }
})
