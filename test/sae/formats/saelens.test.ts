import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readSafetensors } from '../../../src/formats/safetensors.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { Random } from '../../../src/random/random.js'
import { readSaelens, writeSaelens } from '../../../src/sae/formats/saelens.js'
import { saelensName } from '../../../src/sae/formats/saelens-config.js'
import { encodeRows, loadSae } from '../../../src/sae/sae.js'
import type { SaeArrays } from '../../../src/sae/sae-params.js'
import { assertSame, goldenDirectory, readGolden } from './golden-sae.js'
import { topkConfig } from './topk-config.js'

const golden = join(goldenDirectory, 'saelens')
/** What was written, without what reading adds. */
const readBack = async (path: string) => {
  const { config, arrays } = await readSaelens(path)
  return { config, arrays }
}
let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-saelens-'))
})
after(() => rm(directory, { recursive: true }))

for (const name of ['standard', 'standard-layer-norm', 'standard-constant-norm', 'gated', 'jumprelu'])
  test(`${name}: a few features alone have the activations that all of them have`, async () => {
    const kernels = await loadKernels()
    const sae = await loadSae(kernels, join(golden, name))
    assert.equal(sae.hookName, 'blocks.8.hook_resid_pre')
    const { n, d, x, f } = await readGolden(join(golden, name))
    const ids = Int32Array.of(5, 0, 41)
    const some = await kernels.readF32(encodeRows(sae, kernels.tensor(x, [n, d]), ids))
    const expected = Float32Array.from(some, (_, i) => f[Math.floor(i / 3) * sae.features + ids[i % 3]])
    assertSame('f of a few features', some, expected)
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
  const config = topkConfig(d, features, {
    k: 2,
    rescale_acts_by_decoder_norm: false,
    metadata: { hook_name: 'blocks.0.mlp.hook_post', context_size: 128 },
    monosem: { activationScale: 2.5, subtractDecoderBias: true },
  })
  await writeSaelens(directory, { config, arrays }, [0, 1, 0.01, 0.5, 1e-6, 0, 0])
  assert.deepEqual(await readBack(directory), { config, arrays })
  const { tensors } = await readSafetensors(join(directory, 'sae_weights.safetensors'))
  assert.deepEqual(tensors.W_enc.shape, [d, features])
  assert.equal(tensors.W_enc.data[features + 2], arrays.wEnc[2 * d + 1])
  const { sparsity } = (await readSafetensors(join(directory, 'sparsity.safetensors'))).tensors
  assert.deepEqual(
    sparsity.data.slice(0, 3),
    Float32Array.of(-10, Math.log10(1 + 1e-10), Math.log10(0.01 + 1e-10)),
  )
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
      assert.deepEqual(await readBack(copy), { config, arrays })
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
    message: /W_enc \[16,65\] of a standard autoencoder of SAELens, got F32 \[16,64\]/,
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
