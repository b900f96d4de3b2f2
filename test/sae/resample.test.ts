import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { Random } from '../../src/random/random.js'
import type { BatchStream } from '../../src/sae/batch-stream.js'
import { drawInputs, resampleDeadFeatures } from '../../src/sae/resample.js'
import { readSae, rowNorm, type SaeArrays, saeTensors } from '../../src/sae/sae-params.js'

const d = 4
const features = 6
const relu = { kind: 'relu' } as const

const random = new Random(9)
const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
const someArrays = (): SaeArrays => ({
  wEnc: normals(features * d),
  bEnc: normals(features),
  wDec: normals(features * d),
  bDec: normals(d),
})

/** Gives the same batch again and again. */
function streamOf(kernels: Kernels, rows: Float32Array): BatchStream {
  return {
    taken: 0,
    scale: 1,
    async next() {
      this.taken++
      return kernels.tensor(rows, [rows.length / d, d])
    },
    close: async () => {},
  }
}

const row = (matrix: Float32Array, j: number) => matrix.subarray(j * d, (j + 1) * d)

test('resampling sets the values of the recipe on dead features and touches nothing else', async () => {
  const kernels = await loadKernels()
  const [before, m, v] = [someArrays(), someArrays(), someArrays()]
  const state = {
    params: saeTensors(kernels, before, features, d),
    m: saeTensors(kernels, m, features, d),
    v: saeTensors(kernels, v, features, d),
    tokensSinceFired: kernels.tensor(Int32Array.of(0, 100, 99, 100, 5, 1), [features]),
  }
  const inputs = normals(10 * d)
  const stream = streamOf(kernels, inputs)
  const options = {
    deadAfterTokens: 100,
    tokens: 20,
    activation: relu,
    l1Coefficient: 0.1,
    random: new Random(4),
  }
  assert.equal(await resampleDeadFeatures(kernels, state, stream, options), 2)
  assert.equal(stream.taken, 2)

  const after = await readSae(kernels, state.params)
  const [mAfter, vAfter] = [await readSae(kernels, state.m), await readSae(kernels, state.v)]
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
  const params = saeTensors(
    kernels,
    {
      wEnc: new Float32Array(features * d),
      bEnc: new Float32Array(features).fill(-1),
      wDec: new Float32Array(features * d),
      bDec: new Float32Array(d),
    },
    features,
    d,
  )
  const inputs = new Float32Array(4 * d)
  for (const n of [0, 1, 2]) inputs[n * d] = Math.sqrt(n + 1)
  const options = { tokens: 4, activation: relu, l1Coefficient: 0, random: new Random(8) }
  const counts = [0, 0, 0]
  const draws = 3000
  for (let i = 0; i < draws; i++) {
    const [input] = await drawInputs(kernels, params, streamOf(kernels, inputs), 1, options)
    counts[Math.round(input[0] ** 2) - 1]++
  }
  // 1 : 4 : 9, four standard deviations
  for (const n of [0, 1, 2]) {
    const p = (n + 1) ** 2 / 14
    assert.ok(Math.abs(counts[n] / draws - p) < 4 * Math.sqrt((p * (1 - p)) / draws), `${counts}`)
  }
  const all = await drawInputs(kernels, params, streamOf(kernels, inputs), 6, options)
  assert.deepEqual(all.map((input) => Math.round(input[0] ** 2)).sort(), [1, 2, 3])
})

test('nothing is taken from the stream when no feature is dead', async () => {
  const kernels = await loadKernels()
  const state = {
    params: saeTensors(kernels, someArrays(), features, d),
    m: saeTensors(kernels, someArrays(), features, d),
    v: saeTensors(kernels, someArrays(), features, d),
    tokensSinceFired: kernels.zeros([features], 'i32'),
  }
  const stream = streamOf(kernels, normals(d))
  const options = { deadAfterTokens: 1, tokens: 1, activation: relu, l1Coefficient: 0, random: new Random(4) }
  assert.equal(await resampleDeadFeatures(kernels, state, stream, options), 0)
  assert.equal(stream.taken, 0)
})
