import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SaeForm } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'
import { foldActivationScale, foldDecoderNorms, normaliseDecoderRows } from '../../src/sae/fold.js'
import { createSaeParts, encode, reconstruct } from '../../src/sae/sae.js'
import { rowNorm, type SaeArrays } from '../../src/sae/sae-params.js'

const kernels = createReferenceKernels()
const [d, features, n] = [5, 11, 20]

const random = new Random(1)
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal())
const x = normals(n * d)

/** Random parameters of the kind that a form needs. */
function arraysFor({ activation, subtractDecoderBias }: SaeForm, dOut: number, skip: boolean): SaeArrays {
  assert.ok(!subtractDecoderBias || d === dOut)
  return {
    wEnc: normals(features * d),
    bEnc: normals(features),
    wDec: normals(features * dOut),
    bDec: normals(dOut),
    ...(activation.kind === 'jumprelu' && { threshold: normals(features).map(Math.abs) }),
    ...(activation.kind === 'gated' && {
      rMag: normals(features).map((r) => r / 4),
      bMag: normals(features),
    }),
    ...(skip && { wSkip: normals(d * dOut) }),
  }
}

async function run(arrays: SaeArrays, form: SaeForm, input: Float32Array) {
  const sae = createSaeParts(kernels, arrays, form)
  const inputs = kernels.tensor(input, [n, d])
  const yHat = kernels.zeros([n, arrays.bDec.length])
  reconstruct(sae, yHat, null, inputs, kernels.zeros(yHat.shape))
  return { yHat: await kernels.readF32(yHat), codes: await encode(sae, inputs) }
}

function assertClose(actual: Float32Array, expected: Float32Array, what: string): void {
  actual.forEach((value, i) => {
    const limit = 1e-5 * Math.max(1, Math.abs(expected[i]))
    assert.ok(Math.abs(value - expected[i]) < limit, `${what} ${i}: ${value}, expected ${expected[i]}`)
  })
}

const activations: SaeForm['activation'][] = [
  { kind: 'relu' },
  { kind: 'jumprelu' },
  { kind: 'gated' },
  { kind: 'topk', k: 3 },
]
const cases = activations.flatMap((activation) => [
  { form: { activation, subtractDecoderBias: true }, dOut: d, s: 3.7, t: 3.7, skip: false },
  { form: { activation, subtractDecoderBias: false }, dOut: d, s: 3.7, t: 3.7, skip: false },
  { form: { activation, subtractDecoderBias: false }, dOut: 7, s: 3.7, t: 0.2, skip: false },
  { form: { activation, subtractDecoderBias: false }, dOut: 7, s: 3.7, t: 0.2, skip: true },
])

for (const { form, dOut, s, t, skip } of cases) {
  const kind = dOut === d ? 'autoencoder' : skip ? 'skip transcoder' : 'transcoder'
  const name = `${form.activation.kind} ${kind}${form.subtractDecoderBias ? ', b_dec subtracted' : ''}`
  test(`${name}: folding the scales leaves the output unchanged and puts features in raw units`, async () => {
    const arrays = arraysFor(form, dOut, skip)
    const scaled = await run(
      arrays,
      form,
      x.map((value) => value * s),
    )
    const raw = await run(foldActivationScale(arrays, s, t), form, x)
    assertClose(
      raw.yHat,
      scaled.yHat.map((value) => value / t),
      'y_hat',
    )
    assert.ok(raw.codes.values.length > 0)
    assert.deepEqual(raw.codes.featureIds, scaled.codes.featureIds)
    assertClose(
      raw.codes.values,
      scaled.codes.values.map((value) => value / t),
      'f',
    )
  })
}

for (const activation of activations.slice(0, 3))
  test(`${activation.kind}: moving decoder norms into the encoder changes neither the output nor what is active`, async () => {
    const form: SaeForm = { activation, subtractDecoderBias: true }
    const arrays = arraysFor(form, d, false)
    const before = await run(arrays, form, x)
    const norms = Float32Array.from({ length: features }, (_, j) =>
      rowNorm(arrays.wDec.subarray(j * d, (j + 1) * d)),
    )
    foldDecoderNorms(arrays)
    const after = await run(arrays, form, x)
    assertClose(after.yHat, before.yHat, 'x_hat')
    assert.deepEqual(after.codes.featureIds, before.codes.featureIds)
    assertClose(
      after.codes.values,
      before.codes.values.map((value, i) => value * norms[before.codes.featureIds[i]]),
      'f',
    )
    for (let j = 0; j < features; j++)
      assert.ok(Math.abs(rowNorm(arrays.wDec.subarray(j * d, (j + 1) * d)) - 1) < 1e-6)
  })

test('rows of norm 0 are left alone', () => {
  const arrays = arraysFor({ activation: { kind: 'relu' }, subtractDecoderBias: true }, d, false)
  arrays.wDec.fill(0, 0, d)
  const wEnc = arrays.wEnc.slice(0, d)
  foldDecoderNorms(arrays)
  normaliseDecoderRows(arrays)
  assert.deepEqual(arrays.wDec.subarray(0, d), new Float32Array(d))
  assert.deepEqual(arrays.wEnc.subarray(0, d), wEnc)
})
