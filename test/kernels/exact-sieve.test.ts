import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import type { Kernels, SaeForm } from '../../src/kernels/kernels.js'
import { createNativeKernels } from '../../src/kernels/native.js'
import { Random } from '../../src/random/random.js'

const [N, F, D, K] = [60, 2048, 96, 8]

function kernelsOrReason(): { k?: Kernels; skip: string | false } {
  try {
    return { k: createNativeKernels({ threads: 2 }), skip: false }
  } catch (error) {
    if (error instanceof MonosemError && error.code === 'native') return { skip: error.message }
    throw error
  }
}

/** [F, D]: directions in groups that differ by less than bf16 can tell. */
function alike(random: Random, group: number, difference: number): Float32Array {
  const w = new Float32Array(F * D)
  for (let j = 0; j < F; j++)
    for (let i = 0; i < D; i++)
      w[j * D + i] =
        j % group === 0 ? random.normal() : w[(j - (j % group)) * D + i] + difference * random.normal()
  return w
}

/** Pre-activations [N, F] in double precision. */
function preActivations(x: Float32Array, w: Float32Array, b: Float32Array): Float64Array {
  const pre = new Float64Array(N * F)
  for (let n = 0; n < N; n++)
    for (let j = 0; j < F; j++) {
      let sum = b[j]
      for (let i = 0; i < D; i++) sum += x[n * D + i] * w[j * D + i]
      pre[n * F + j] = sum
    }
  return pre
}

const { k, skip } = kernelsOrReason()

/** Encodes in fp32 with packed weights, and says which pairs are on the wrong side of the cut by more than fp32 rounds. */
async function wrongPairs(
  form: SaeForm,
  w: Float32Array,
  bias: number,
): Promise<{ wrong: string[]; found: number }> {
  assert.ok(k)
  const random = new Random(3)
  const x = new Float32Array(N * D).map((_, i) => random.normal() * (i < D ? 100 : 1))
  const b = new Float32Array(F).fill(bias)
  const params = {
    ...{ wEnc: k.tensor(w, [F, D]), bEnc: k.tensor(b, [F]) },
    ...{ wDec: k.zeros([F, D]), bDec: k.zeros([D]) },
  }
  const packed = k.saePack(params.wEnc, 'fp32', null)
  assert.equal(packed.precision, 'fp32')
  const codes = await k.saeEncode(params, k.tensor(x, [N, D]), form, packed)
  const pre = preActivations(x, w, b)
  const wrong: string[] = []
  for (let n = 0; n < N; n++) {
    const row = pre.subarray(n * F, (n + 1) * F)
    const cut = form.activation.kind === 'topk' ? Math.max(0, Float64Array.from(row).sort()[F - K]) : 0
    const rounding = 1e-5 * row.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const ids = new Set(codes.featureIds.subarray(codes.rowOffsets[n], codes.rowOffsets[n + 1]))
    row.forEach((value, j) => {
      if (Math.abs(value - cut) > rounding && value > cut !== ids.has(j))
        wrong.push(`token ${n}, feature ${j}`)
    })
  }
  k.saeFreePacked(packed)
  return { wrong, found: codes.featureIds.length }
}

const topk: SaeForm = { activation: { kind: 'topk', k: K }, subtractDecoderBias: false }
const relu: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: false }

test('fp32 misses no feature that bf16 cannot tell from others', { skip }, async () => {
  const w = alike(new Random(1), 16, 1e-4)
  const { wrong, found } = await wrongPairs(topk, w, 0)
  assert.deepEqual(wrong.slice(0, 3), [])
  assert.equal(found, N * K)
  assert.deepEqual((await wrongPairs(relu, w, -20)).wrong.slice(0, 3), [])
})

test('fp32 finds the right features where nearly all of them are candidates', { skip }, async () => {
  const w = alike(new Random(2), F, 1e-4)
  const { wrong, found } = await wrongPairs(topk, w, 0)
  assert.deepEqual(wrong.slice(0, 3), [])
  // tokens on whose side no feature is have none
  assert.ok(found > (N * K) / 4 && found % K === 0)
  assert.deepEqual((await wrongPairs(relu, w, 0)).wrong.slice(0, 3), [])
})
