import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { loadKernels } from '../../src/kernels/load.js'
import { Random } from '../../src/random/random.js'
import { decode, encode, encodeRows, loadSae, reconstruct } from '../../src/sae/sae.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'
import { readSaelens, writeSaelens } from '../../src/sae/saelens.js'
import { saelensName } from '../../src/sae/saelens-config.js'

// the tests run from dist/test/sae
const golden = join(import.meta.dirname, '../../../test/golden/sae/saelens')
let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-saelens-'))
})
after(() => rm(directory, { recursive: true }))

function assertClose(name: string, actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length, name)
  let worst = 0
  actual.forEach((value, i) => {
    if (!(Math.abs(value - expected[i]) <= Math.abs(actual[worst] - expected[worst]))) worst = i
  })
  const difference = Math.abs(actual[worst] - expected[worst])
  assert.ok(difference < 1e-5, `${name}[${worst}]: ${actual[worst]}, expected ${expected[worst]}`)
}

for (const name of ['standard', 'standard-no-bdec-input', 'gated', 'jumprelu', 'topk', 'topk-rescaled'])
  test(`${name}: f and x_hat are those of SAELens`, async () => {
    const kernels = await loadKernels()
    const sae = await loadSae(kernels, join(golden, name))
    assert.equal(sae.hookName, 'blocks.8.hook_resid_pre')
    const { tensors } = await readSafetensors(join(golden, name, 'golden.safetensors'))
    const [n, d] = tensors.x.shape
    const x = kernels.tensor(tensors.x.data as Float32Array, [n, d])
    const codes = await encode(sae, x)
    const f = new Float32Array(n * sae.features)
    for (let row = 0; row < n; row++)
      for (let i = codes.rowOffsets[row]; i < codes.rowOffsets[row + 1]; i++)
        f[row * sae.features + codes.featureIds[i]] = codes.values[i]
    assertClose('f', f, tensors.f.data as Float32Array)
    const xHat = kernels.zeros([n, d])
    decode(sae, xHat, codes)
    assertClose('x_hat', await kernels.readF32(xHat), tensors.x_hat.data as Float32Array)
    const again = kernels.zeros([n, d])
    reconstruct(sae, again, null, x)
    assertClose('x_hat in one go', await kernels.readF32(again), tensors.x_hat.data as Float32Array)
    if (name.startsWith('topk')) return
    const ids = Int32Array.of(5, 0, 41)
    const some = await kernels.readF32(encodeRows(sae, x, ids))
    const expected = Float32Array.from(some, (_, i) => f[Math.floor(i / 3) * sae.features + ids[i % 3]])
    assertClose('f of a few features', some, expected)
  })

test('what is written is read back bit for bit, W_enc as [D, F] on disk', async () => {
  const random = new Random(5)
  const [d, features] = [3, 7]
  const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
  const arrays: SaeArrays = {
    wEnc: normals(d * features),
    bEnc: normals(features),
    wDec: normals(d * features),
    bDec: normals(d),
  }
  const config = {
    architecture: 'topk',
    d_in: d,
    d_sae: features,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: true,
    normalize_activations: 'none',
    reshape_activations: 'none',
    k: 2,
    rescale_acts_by_decoder_norm: false,
    metadata: { hook_name: 'blocks.0.mlp.hook_post', context_size: 128 },
    monosem: { activationScale: 2.5, subtractDecoderBias: true },
  }
  await writeSaelens(directory, { config, arrays }, [0, 1, 0.01, 0.5, 1e-6, 0, 0])
  assert.deepEqual(await readSaelens(directory), { config, arrays })
  const { tensors } = await readSafetensors(join(directory, 'sae_weights.safetensors'))
  assert.deepEqual(tensors.W_enc.shape, [d, features])
  assert.equal(tensors.W_enc.data[features + 2], arrays.wEnc[2 * d + 1])
  const { sparsity } = (await readSafetensors(join(directory, 'sparsity.safetensors'))).tensors
  assert.deepEqual(
    sparsity.data.slice(0, 3),
    Float32Array.of(-10, Math.log10(1 + 1e-10), Math.log10(0.01 + 1e-10)),
  )
})

for (const [name, message] of [
  ['standard-layer-norm', /normalize_activations is layer_norm, expected none/],
  ['standard-constant-norm', /normalize_activations is constant_norm_rescale/],
] as const)
  test(`${name} is refused with a reason`, async () => {
    await assert.rejects(readSaelens(join(golden, name)), { code: 'format', message })
  })

for (const kind of ['relu', 'jumprelu', 'gated', 'topk'] as const)
  for (const skip of [false, true])
    test(`a ${kind} transcoder${skip ? ' with a skip connection' : ''} is written and read back`, async () => {
      const random = new Random(5)
      const [d, dOut, features] = [3, 4, 7]
      const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
      const arrays: SaeArrays = {
        wEnc: normals(d * features),
        bEnc: normals(features),
        wDec: normals(dOut * features),
        bDec: normals(dOut),
        ...(kind === 'jumprelu' && { threshold: normals(features).map(Math.abs) }),
        ...(kind === 'gated' && { rMag: normals(features), bMag: normals(features) }),
        ...(skip && { wSkip: normals(d * dOut) }),
      }
      const architecture = saelensName({ kind, transcoder: true, skip })
      const config = {
        architecture,
        d_in: d,
        d_sae: features,
        d_out: dOut,
        dtype: 'float32',
        device: 'cpu',
        apply_b_dec_to_input: false,
        normalize_activations: 'none',
        reshape_activations: 'none',
        ...(kind === 'topk' && { k: 2 }),
        metadata: { hook_name: 'blocks.0.mlp.hook_pre', hook_name_out: 'blocks.0.hook_mlp_out' },
      }
      const copy = join(directory, architecture)
      await mkdir(copy)
      await writeSaelens(copy, { config, arrays })
      assert.deepEqual(await readSaelens(copy), { config, arrays })
      const { tensors } = await readSafetensors(join(copy, 'sae_weights.safetensors'))
      if (skip) assert.equal(tensors.W_skip.data[d], arrays.wSkip?.[1], 'W_skip is [Dout, D] on disk')
      const sae = await loadSae(await loadKernels(), copy)
      assert.equal(sae.targetHookName, 'blocks.0.hook_mlp_out')
      assert.deepEqual([sae.d, sae.dOut, sae.form.subtractDecoderBias], [d, dOut, false])
      await writeFile(join(copy, 'cfg.json'), JSON.stringify({ ...config, apply_b_dec_to_input: true }))
      await assert.rejects(readSaelens(copy), { code: 'format', message: /apply_b_dec_to_input false/ })
    })

test('the names of architectures are those of SAELens, and of transcoders that it lacks others', () => {
  const names = (['relu', 'jumprelu', 'topk'] as const).map((kind) => [
    saelensName({ kind, transcoder: false, skip: false }),
    saelensName({ kind, transcoder: true, skip: false }),
    saelensName({ kind, transcoder: true, skip: true }),
  ])
  assert.deepEqual(names, [
    ['standard', 'transcoder', 'skip_transcoder'],
    ['jumprelu', 'jumprelu_transcoder', 'jumprelu_skip_transcoder'],
    ['topk', 'topk_transcoder', 'topk_skip_transcoder'],
  ])
})

test('a configuration and weights that do not belong together are refused', async () => {
  const copy = join(directory, 'mixed')
  await cp(join(golden, 'standard'), copy, { recursive: true })
  const cfgPath = join(copy, 'cfg.json')
  const cfg = await readFile(cfgPath, 'utf8')
  const change = (values: object) => writeFile(cfgPath, JSON.stringify({ ...JSON.parse(cfg), ...values }))
  await change({ d_sae: 65 })
  await assert.rejects(readSaelens(copy), {
    code: 'format',
    message: /W_enc F32 \[16,65\], got F32 \[16,64\]/,
  })
  await change({ d_in: '16' })
  await assert.rejects(readSaelens(copy), { code: 'format', message: /d_in/ })
  await change({ architecture: 'matching_pursuit' })
  await assert.rejects(readSaelens(copy), {
    code: 'format',
    message: /architecture is matching_pursuit, expected standard or transcoder/,
  })
  await change({ architecture: 'topk' })
  await assert.rejects(readSaelens(copy), { code: 'format', message: /needs k/ })
  await writeFile(cfgPath, cfg.trim().slice(0, -1))
  await assert.rejects(readSaelens(copy), { code: 'format', message: /expected JSON/ })
  await assert.rejects(readSaelens(join(directory, 'absent')), { code: 'missing' })
})
