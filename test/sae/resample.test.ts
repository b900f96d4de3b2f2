import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { Random } from '../../src/random/random.js'
import type { Batch } from '../../src/sae/batch-stream.js'
import { drawInputs, type ResampleOptions, resampleDeadFeatures } from '../../src/sae/resample.js'
import { readSae, rowNorm, type SaeArrays, saeTensors } from '../../src/sae/sae-params.js'

const d = 4
const features = 6
const relu = { activation: { kind: 'relu' }, subtractDecoderBias: true } as const
const optionsOf = (values: Partial<ResampleOptions> = {}): ResampleOptions => ({
  deadAfterTokens: 100,
  form: relu,
  l1Coefficient: 0.1,
  unitNormDecoder: true,
  featureStart: {},
  random: new Random(4),
  ...values,
})

const random = new Random(9)
const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
const someArrays = (): SaeArrays => ({
  wEnc: normals(features * d),
  bEnc: normals(features),
  wDec: normals(features * d),
  bDec: normals(d),
})

/** The same batch `count` times. */
async function* batchesOf(kernels: Kernels, rows: Float32Array, count: number): AsyncGenerator<Batch> {
  const x = kernels.tensor(rows, [rows.length / d, d])
  for (let index = 0; index < count; index++) yield { x, y: x, index }
}

/** A state whose features 1 and 3 are dead. */
function stateOf(kernels: Kernels, params: SaeArrays, [m, v, average]: SaeArrays[]) {
  const tensors = saeTensors(kernels, params)
  return {
    params: tensors,
    m: saeTensors(kernels, m),
    v: saeTensors(kernels, v),
    average: average ? saeTensors(kernels, average) : null,
    packed: kernels.saePack(tensors.wEnc, 'fp32', null),
    tokensSinceFired: kernels.tensor(Int32Array.of(0, 100, 99, 100, 5, 1), [features]),
  }
}

const row = (matrix: Float32Array, j: number) => matrix.subarray(j * d, (j + 1) * d)

test('resampling sets the values of the recipe on dead features and touches nothing else', async () => {
  const kernels = await loadKernels()
  const [before, m, v, average] = [someArrays(), someArrays(), someArrays(), someArrays()]
  const state = stateOf(kernels, before, [m, v, average])
  const inputs = normals(10 * d)
  const stream = batchesOf(kernels, inputs, 2)
  assert.equal(await resampleDeadFeatures(kernels, state, stream, optionsOf()), 2)

  const after = await readSae(kernels, state.params)
  const [mAfter, vAfter] = [await readSae(kernels, state.m), await readSae(kernels, state.v)]
  const averageAfter = await readSae(kernels, state.average!)
  const alive = [0, 2, 4, 5]
  const meanNorm = alive.reduce((sum, j) => sum + rowNorm(row(before.wEnc, j)), 0) / alive.length
  for (const j of [1, 3]) {
    assert.ok(Math.abs(rowNorm(row(after.wDec, j)) - 1) < 1e-6)
    assert.ok(Math.abs(rowNorm(row(after.wEnc, j)) - 0.2 * meanNorm) < 1e-6)
    const isAnInput = Array.from({ length: 10 }, (_, n) => n).some((n) => {
      const direction = row(inputs, n).map((value, c) => value - before.bDec[c])
      const norm = rowNorm(direction)
      return direction.every((value, c) => Math.abs(value / norm - row(after.wDec, j)[c]) < 1e-6)
    })
    assert.ok(isAnInput, `row ${j} is an input minus b_dec`)
    for (let c = 0; c < d; c++)
      assert.ok(Math.abs(row(after.wEnc, j)[c] - 0.2 * meanNorm * row(after.wDec, j)[c]) < 1e-6)
    assert.equal(after.bEnc[j], 0)
    for (const name of ['wEnc', 'wDec'] as const)
      assert.deepEqual(row(averageAfter[name], j), row(after[name], j), 'the average starts anew too')
    for (const moments of [mAfter, vAfter]) {
      assert.deepEqual(row(moments.wEnc, j), new Float32Array(d))
      assert.deepEqual(row(moments.wDec, j), new Float32Array(d))
      assert.equal(moments.bEnc[j], 0)
    }
  }
  for (const j of alive)
    for (const [now, then] of [
      [after, before],
      [mAfter, m],
      [vAfter, v],
      [averageAfter, average],
    ]) {
      assert.deepEqual(row(now.wEnc, j), row(then.wEnc, j))
      assert.deepEqual(row(now.wDec, j), row(then.wDec, j))
      assert.equal(now.bEnc[j], then.bEnc[j])
    }
  for (const [now, then] of [
    [after, before],
    [mAfter, m],
    [vAfter, v],
  ])
    assert.deepEqual(now.bDec, then.bDec)
  assert.deepEqual(await kernels.read(state.tokensSinceFired), Int32Array.of(0, 0, 99, 0, 5, 1))
})

test('inputs are drawn with probability proportional to the square of their loss', async () => {
  const kernels = await loadKernels()
  // no feature fires, so that the loss of an input is its squared norm: 1, 2, 3 and 0
  const silent = {
    wEnc: new Float32Array(features * d),
    bEnc: new Float32Array(features).fill(-1),
    wDec: new Float32Array(features * d),
    bDec: new Float32Array(d),
  }
  const state = stateOf(kernels, silent, [silent, silent])
  const inputs = new Float32Array(4 * d)
  for (const n of [0, 1, 2]) inputs[n * d] = Math.sqrt(n + 1)
  const options = { form: relu, l1Coefficient: 0, random: new Random(8) }
  const counts = [0, 0, 0]
  const draws = 3000
  for (let i = 0; i < draws; i++) {
    const [{ x }] = await drawInputs(kernels, state, batchesOf(kernels, inputs, 1), 1, options)
    counts[Math.round(x[0] ** 2) - 1]++
  }
  // 1 : 4 : 9, four standard deviations
  for (const n of [0, 1, 2]) {
    const p = (n + 1) ** 2 / 14
    assert.ok(Math.abs(counts[n] / draws - p) < 4 * Math.sqrt((p * (1 - p)) / draws), `${counts}`)
  }
  const all = await drawInputs(kernels, state, batchesOf(kernels, inputs, 1), 6, options)
  assert.deepEqual(all.map(({ x }) => Math.round(x[0] ** 2)).sort(), [1, 2, 3])
})

test('inputs that are not finite are never drawn', async () => {
  const kernels = await loadKernels()
  const state = stateOf(kernels, someArrays(), [someArrays(), someArrays()])
  const inputs = normals(4 * d)
  inputs[1] = Number.NaN
  inputs[d] = Number.POSITIVE_INFINITY
  const drawn = await drawInputs(kernels, state, batchesOf(kernels, inputs, 1), 4, optionsOf())
  assert.equal(drawn.length, 2)
  assert.ok(drawn.every(({ x }) => x.every(Number.isFinite)))
})

test('nothing is read from the stream when no feature is dead', async () => {
  const kernels = await loadKernels()
  const state = stateOf(kernels, someArrays(), [someArrays(), someArrays()])
  kernels.fill(state.tokensSinceFired, 0)
  let read = false
  const stream = (async function* () {
    read = true
    yield* batchesOf(kernels, normals(d), 1)
  })()
  assert.equal(await resampleDeadFeatures(kernels, state, stream, optionsOf()), 0)
  assert.equal(read, false)
})

test('what only some architectures have starts anew: a threshold at its first value, moments at 0', async () => {
  const kernels = await loadKernels()
  const withThreshold = (): SaeArrays => ({ ...someArrays(), threshold: normals(features).map(Math.abs) })
  const before = withThreshold()
  const state = stateOf(kernels, before, [withThreshold(), withThreshold()])
  const form = { activation: { kind: 'jumprelu' }, subtractDecoderBias: false } as const
  const inputs = normals(10 * d)
  await resampleDeadFeatures(
    kernels,
    state,
    batchesOf(kernels, inputs, 1),
    optionsOf({ form, featureStart: { threshold: 0.25 } }),
  )
  const [after, m] = [await readSae(kernels, state.params), await readSae(kernels, state.m)]
  for (const j of [1, 3]) {
    assert.deepEqual([after.threshold?.[j], m.threshold?.[j]], [0.25, 0])
    // nothing is subtracted from the input, so the bias takes b_dec out of the pre-activation
    const mean = row(after.wEnc, j).reduce((sum, w, c) => sum + w * after.bDec[c], 0)
    assert.ok(Math.abs(after.bEnc[j] + mean) < 1e-6)
  }
  assert.equal(after.threshold?.[0], before.threshold?.[0])
})

test('a transcoder gets the input as encoder row and the centred target as decoder row', async () => {
  const kernels = await loadKernels()
  const dOut = 3
  const wide = (): SaeArrays => ({ ...someArrays(), wDec: normals(features * dOut), bDec: normals(dOut) })
  const state = stateOf(kernels, wide(), [wide(), wide()])
  const [x, y] = [normals(2 * d), normals(2 * dOut)]
  const pairs = (async function* (): AsyncGenerator<Batch> {
    yield { x: kernels.tensor(x, [2, d]), y: kernels.tensor(y, [2, dOut]), index: 0 }
  })()
  const form = { activation: { kind: 'relu' }, subtractDecoderBias: false } as const
  assert.equal(await resampleDeadFeatures(kernels, state, pairs, optionsOf({ form })), 2)
  const { wEnc, wDec, bDec } = await readSae(kernels, state.params)
  const direction = (values: Float32Array) => values.map((value) => value / rowNorm(values))
  const near = (a: Float32Array, b: Float32Array) => a.every((value, i) => Math.abs(value - b[i]) < 1e-5)
  for (const j of [1, 3]) {
    const [encoder, decoder] = [direction(row(wEnc, j)), wDec.subarray(j * dOut, (j + 1) * dOut)]
    const n = [0, 1].find((i) => near(encoder, direction(row(x, i)))) as number
    const target = y.slice(n * dOut, (n + 1) * dOut).map((value, c) => value - bDec[c])
    assert.ok(near(decoder, direction(target)))
  }
})
