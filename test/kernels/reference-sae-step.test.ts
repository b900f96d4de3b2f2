import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kernels, SaeStepOptions, SaeStepStats, SaeTraining, Tensor } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { saeRunning } from '../../src/kernels/sae-kernels.js'
import { expectClose } from './gradient-check.js'
import { rowsOf } from './plain-sae.js'
import { AUX, D, F, N, plain, RELU, type Setup, setup, TOPK, TRAIN } from './sae-setup.js'

const k = createReferenceKernels()

const step = ({ training, x, y }: Setup, options: SaeStepOptions): Promise<SaeStepStats> =>
  k.saeStep(training, x, y, options)

const dot = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i], 0)

const BATCHTOPK: SaeStepOptions = {
  ...TOPK,
  form: { activation: { kind: 'batchtopk', k: 2 }, subtractDecoderBias: true },
}
const GATED: SaeStepOptions = { ...RELU, form: { activation: { kind: 'gated' }, subtractDecoderBias: true } }
const JUMPRELU: SaeStepOptions = {
  ...RELU,
  form: { activation: { kind: 'jumprelu' }, subtractDecoderBias: false },
  sparsity: { kind: 'l0', coefficient: 0.5, bandwidth: 1 },
}
const JUMPRELU_TANH: SaeStepOptions = {
  ...RELU,
  form: { activation: { kind: 'jumprelu', logThreshold: true }, subtractDecoderBias: false },
  sparsity: { kind: 'tanh', coefficient: 0.5, scale: 4, bandwidth: 2, preAct: 0.1 },
}
const MATRYOSHKA: SaeStepOptions = { ...BATCHTOPK, prefixes: [2, 5, F], auxK: AUX }
const ALL = { RELU, TOPK, BATCHTOPK, GATED, JUMPRELU, JUMPRELU_TANH, MATRYOSHKA }

/** Everything that a step may change. */
async function stateOf(kernels: Kernels, training: SaeTraining): Promise<Record<string, unknown>> {
  const { params, m, v, tokensSinceFired, running } = training
  return {
    params: await plain(kernels, params),
    m: await plain(kernels, m),
    v: await plain(kernels, v),
    tokensSinceFired: await kernels.read(tokensSinceFired),
    running: await kernels.read(running),
  }
}

test('unitNormDecoder removes the gradient along each row before Adam and leaves rows of norm 1', async () => {
  const byNorm: SaeStepOptions = { ...RELU, sparsity: { kind: 'l1', coefficient: 0.7, byDecoderNorm: true } }
  for (const options of [RELU, byNorm]) {
    const [free, unit] = [setup(k, 12, options), setup(k, 12, options)]
    await step(free, options)
    const before = rowsOf(await k.readF32(unit.training.params.wDec), D)
    await step(unit, { ...options, unitNormDecoder: true })
    const gradient = rowsOf(await k.readF32(free.training.m.wDec), D)
    const projected = rowsOf(await k.readF32(unit.training.m.wDec), D)
    const after = rowsOf(await k.readF32(unit.training.params.wDec), D)
    for (let j = 0; j < F; j++) {
      const along = dot(gradient[j], before[j])
      const expected = gradient[j].map((g, c) => g - along * before[j][c])
      expectClose('projected', projected[j], expected, 1e-5)
      expectClose('norm', [Math.hypot(...after[j])], [1], 1e-6)
      // learning rate 0: only the length changes
      expectClose('direction', [dot(after[j], before[j])], [Math.hypot(...before[j])], 1e-6)
    }
  }
})

test('a silent decoder row of norm 0 stays 0 instead of becoming NaN', async () => {
  for (const options of [RELU, JUMPRELU_TANH]) {
    const s = setup(k, 13, options)
    const { params } = s.training
    k.fill(k.rows(params.wDec, 4, 1), 0)
    k.fill(k.rows(params.bEnc, 4, 1), -100)
    await step(s, { ...options, adam: TRAIN, unitNormDecoder: true })
    const decoder = rowsOf(await k.readF32(params.wDec), D)
    assert.deepEqual(decoder[4], [0, 0, 0, 0])
    for (const j of [0, 1, 2]) expectClose('norm', [Math.hypot(...decoder[j])], [1], 1e-6)
  }
})

test('gradientClip multiplies every gradient, and gradientNorm is that of all of them after the projection', async () => {
  for (const base of [GATED, JUMPRELU_TANH, { ...JUMPRELU, unitNormDecoder: true }]) {
    const skip = base !== GATED
    const [free, clipped, loose] = [1, 2, 3].map(() => setup(k, 23, base, { skip }))
    assert.equal((await step(free, base)).gradientNorm, 0)
    const gradients = Object.entries(await plain(k, free.training.m))
    const norm = Math.sqrt(gradients.reduce((sum, [, g]) => sum + dot([...g], [...g]), 0))
    const stats = await step(clipped, { ...base, gradientClip: norm / 4 })
    expectClose('gradientNorm', [stats.gradientNorm], [norm], 1e-6)
    const after = await plain(k, clipped.training.m)
    for (const [key, g] of gradients)
      expectClose(
        key,
        after[key as 'wEnc'],
        g.map((value) => value / 4),
        1e-5,
      )
    await step(loose, { ...base, gradientClip: norm * 2 })
    assert.deepEqual(await plain(k, loose.training.m), await plain(k, free.training.m))
  }
})

test('a frozen decoder stays to the bit, is left out of the norm, and changes nothing about the other updates', async () => {
  for (const [name, base] of Object.entries(ALL)) {
    const options = { ...base, adam: TRAIN }
    const [free, frozen, clipped] = [1, 2, 3].map(() => setup(k, 23, options))
    const before = await plain(k, frozen.training.params)
    await step(free, options)
    await step(frozen, { ...options, freezeDecoder: true })
    const [learned, kept] = [await plain(k, free.training.params), await plain(k, frozen.training.params)]
    assert.notDeepEqual(learned.wDec, before.wDec, name)
    assert.deepEqual(kept, { ...learned, wDec: before.wDec }, name)
    assert.deepEqual((await plain(k, frozen.training.m)).wDec, new Float64Array(F * D), name)

    const gradientOnly = { ...base, freezeDecoder: true, gradientClip: 1e9 }
    const { gradientNorm } = await step(clipped, gradientOnly)
    const gradients = Object.values(await plain(k, clipped.training.m))
    const norm = Math.sqrt(gradients.reduce((sum, g) => sum + dot([...g], [...g]), 0))
    expectClose(name, [gradientNorm], [norm], 1e-6)
  }
})

test('Adam moves features that are silent too, as their moments decay', async () => {
  const s = setup(k, 14, RELU)
  const { params, m, v } = s.training
  k.fill(k.rows(params.bEnc, 3, 1), -100)
  k.fill(k.rows(m.wEnc, 3, 1), 1)
  k.fill(k.rows(v.wEnc, 3, 1), 4)
  const before = rowsOf(await k.readF32(params.wEnc), D)[3]
  await step(s, { ...RELU, adam: TRAIN })
  expectClose('m', rowsOf(await k.readF32(m.wEnc), D)[3], [0.9, 0.9, 0.9, 0.9], 1e-6)
  const moved = 0.05 * (9 / Math.sqrt(3.96 / 0.01))
  const expected = before.map((p) => p - moved)
  expectClose('p', rowsOf(await k.readF32(params.wEnc), D)[3], expected, 1e-5)
})

test('theta is kept at 0 or above, but its logarithm may go anywhere', async () => {
  const s = setup(k, 24, JUMPRELU)
  k.fill(s.training.m.threshold!, 100)
  await step(s, { ...JUMPRELU, adam: { ...TRAIN, epsilon: 1 } })
  assert.deepEqual([...(await k.readF32(s.training.params.threshold!))], Array(F).fill(0))
  const log = setup(k, 24, JUMPRELU_TANH)
  k.fill(log.training.m.threshold!, 100)
  await step(log, { ...JUMPRELU_TANH, adam: { ...TRAIN, epsilon: 1 } })
  assert.ok((await k.readF32(log.training.params.threshold!)).every((t) => t < -5))
})

test('tokensSinceFired is 0 for what fired in the batch, grows by N for the rest, and saturates', async () => {
  const s = setup(k, 15, TOPK)
  const { params, tokensSinceFired } = s.training
  k.fill(k.rows(params.bEnc, 5, 2), -100)
  k.write(k.rows(tokensSinceFired, 6, 1), Int32Array.of(2 ** 30 - 2))
  const before = await k.read(tokensSinceFired)
  const codes = await k.saeEncode(params, s.x, TOPK.form, null)
  await step(s, TOPK)
  const expected = Array.from(before, (tokens, j) => (codes.featureIds.includes(j) ? 0 : tokens + N))
  expected[6] = 2 ** 30
  assert.deepEqual([...(await k.read(tokensSinceFired))], expected)
})

test('an open gate without magnitude, or a near miss of theta, is no firing', async () => {
  const gated = setup(k, 25, GATED)
  k.fill(gated.training.params.bEnc, 100)
  k.fill(gated.training.params.bMag!, -100)
  const closed = setup(k, 25, JUMPRELU)
  k.fill(closed.training.params.threshold!, 50)
  for (const [s, options] of [
    [gated, GATED],
    [closed, { ...JUMPRELU, sparsity: { kind: 'l0', coefficient: 1, bandwidth: 110 } }],
  ] as [Setup, SaeStepOptions][]) {
    const before = Array.from(await k.read(s.training.tokensSinceFired))
    const stats = await step(s, options)
    assert.equal(stats.l0, 0)
    assert.equal(stats.maxDensity, 0)
    const after = [...(await k.read(s.training.tokensSinceFired))]
    assert.deepEqual(
      after,
      before.map((tokens) => tokens + N),
    )
    const gradients = await plain(k, s.training.m)
    assert.ok((gradients.threshold ?? gradients.bEnc).some((g) => g !== 0))
  }
})

test('saeStep reports the batch as it was before the update', async () => {
  const s = setup(k, 16, RELU)
  const { params } = s.training
  const losses = k.zeros([N])
  k.saeReconstruct(k.zeros([N, D]), losses, params, s.x, s.y, RELU.form, null)
  const codes = await k.saeEncode(params, s.x, RELU.form, null)
  const stats = await step(s, { ...RELU, adam: TRAIN })
  const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / N
  expectClose('squaredError', [stats.squaredError], [mean(await k.readF32(losses))], 1e-5)
  expectClose('sparsity', [stats.sparsity], [mean(codes.values)], 1e-5)
  assert.equal(stats.l0, codes.values.length / N)
  assert.equal(stats.prefixError, stats.squaredError)
  assert.equal(stats.auxLoss, 0)
  assert.equal(stats.dead, 0)
})

test('running keeps the density of the last step, and for batchtopk the average of the smallest activation kept', async () => {
  const s = setup(k, 26, BATCHTOPK)
  const { running, params } = s.training
  k.write(running, Float32Array.of(0.3, 0, 11, 12, 13, 0, 0, 0))
  const smallest = Math.min(...(await k.saeEncode(params, s.x, BATCHTOPK.form, null)).values)
  const stats = await step(s, BATCHTOPK)
  const first = await k.readF32(running)
  expectClose('density', [first[saeRunning.density]], [stats.l0 / F], 1e-6)
  assert.equal(first[saeRunning.threshold], smallest)
  assert.deepEqual([...first.slice(2)], [11, 12, 13, 0, 0, 0])

  k.write(k.rows(running, 1, 1), Float32Array.of(3))
  await step(s, BATCHTOPK)
  expectClose('average', [(await k.readF32(running))[saeRunning.threshold]], [2.97 + 0.01 * smallest], 1e-6)
  k.fill(params.bEnc, -100)
  const before = await k.readF32(running)
  await step(s, BATCHTOPK)
  assert.equal((await k.readF32(running))[saeRunning.threshold], before[saeRunning.threshold])

  const other = setup(k, 26, TOPK)
  await step(other, TOPK)
  assert.equal((await k.readF32(other.training.running))[saeRunning.threshold], 0)
})

/** The batch with NaN and infinity in two rows, in x and in y. */
async function spoil({ training, x, y }: Setup): Promise<Setup> {
  const [xs, ys] = [await k.readF32(x), await k.readF32(y)]
  xs[2 * D] = NaN
  ys[4 * D + 3] = -Infinity
  const tensor = (data: Float32Array): Tensor => k.tensor(data, [N, D])
  return { training, x: tensor(xs), y: tensor(ys) }
}

test('badRows stop: a row with NaN or infinity in x or y leaves everything as it was', async () => {
  for (const options of Object.values(ALL)) {
    const s = await spoil(setup(k, 27, options))
    const before = await stateOf(k, s.training)
    const { badRow, precision, scanned, ...others } = await step(s, {
      ...options,
      adam: TRAIN,
      gradientClip: 1,
    })
    assert.equal(badRow, 2)
    assert.equal(precision, 'fp32')
    assert.ok(Object.values(others).every((value) => value === 0))
    assert.deepEqual(await stateOf(k, s.training), before)
    const infinite = { ...s, x: k.rows(s.x, 3, 3), y: k.rows(s.y, 3, 3) }
    assert.equal((await step(infinite, { ...options, badRows: 'stop' })).badRow, 1)
  }
})

test('badRows skip: the step is that of the batch without these rows', async () => {
  for (const options of Object.values(ALL)) {
    const [all, good] = [await spoil(setup(k, 28, options)), setup(k, 28, options)]
    const rows = (t: Tensor): Tensor => {
      const kept = k.zeros([N - 2, D])
      k.gatherRows(kept, t, k.tensor(Int32Array.of(0, 1, 3, 5), [N - 2]))
      return kept
    }
    const expected = await step({ ...good, x: rows(good.x), y: rows(good.y) }, { ...options, adam: TRAIN })
    const stats = await step(all, { ...options, adam: TRAIN, badRows: 'skip' })
    const times = { encodeMs: 0, decodeMs: 0, updateMs: 0 }
    assert.deepEqual({ ...stats, ...times }, { ...expected, ...times, badRow: 2, skippedRows: 2 })
    assert.deepEqual(await stateOf(k, all.training), await stateOf(k, good.training))
  }
})

test('badRows skip: a batch without a good row changes nothing', async () => {
  const s = setup(k, 29, TOPK)
  k.fill(s.x, NaN)
  const before = await stateOf(k, s.training)
  const stats = await step(s, { ...TOPK, adam: TRAIN, badRows: 'skip' })
  assert.equal(stats.badRow, 0)
  assert.equal(stats.skippedRows, N)
  assert.equal(stats.squaredError, 0)
  assert.deepEqual(await stateOf(k, s.training), before)
})

test('an auxiliary target without spread gives no auxiliary loss and no gradient', async () => {
  const [one, without] = [setup(k, 17, TOPK, { count: 1 }), setup(k, 17, TOPK, { count: 1 })]
  const stats = await step(one, { ...TOPK, auxK: AUX })
  await step(without, TOPK)
  assert.equal(stats.auxLoss, 0)
  assert.ok(stats.dead > 0)
  assert.deepEqual(await plain(k, one.training.m), await plain(k, without.training.m))
})

test('training lowers the error of every architecture', async () => {
  for (const [name, base] of Object.entries({ ...ALL, 'TOPK with auxK': { ...TOPK, auxK: AUX } })) {
    const { sparsity } = base
    const free = sparsity.kind === 'none' ? sparsity : { ...sparsity, coefficient: 0 }
    const s = setup(k, 18, base)
    const errors: number[] = []
    for (let i = 1; i <= 60; i++) {
      const adam = { ...TRAIN, step: i }
      const stats = await step(s, { ...base, sparsity: free, unitNormDecoder: true, adam })
      errors.push(stats.squaredError)
    }
    assert.ok(errors[59] < 0.2 * errors[0], `${name}: ${errors[0]} to ${errors[59]}`)
  }
})
