import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { loadKernels } from '../../src/kernels/load.js'
import { loadSae } from '../../src/sae/sae.js'

const kernels = await loadKernels()
const directory = fileURLToPath(
  new URL('../../../test/golden/sae-formats/saelens/standard-layer-norm', import.meta.url),
)

test('a loaded autoencoder encodes and decodes plain arrays of any shape, and tensors', async () => {
  const { tensors } = await readSafetensors(`${directory}/golden.safetensors`)
  using sae = await loadSae(kernels, directory)
  const data = tensors.x.data as Float32Array
  const [N, D] = tensors.x.shape
  const codes = await sae.encode({ shape: [2, N / 2, D], data })
  const x = kernels.tensor(data, [N, D])
  assert.deepEqual(await sae.encode(x), codes)
  assert.equal(codes.rowOffsets.length, N + 1)
  for (const given of [x, { shape: [N, D], data }]) {
    const xHat = await sae.decode(codes, given)
    assert.deepEqual(xHat.shape, [N, D])
    xHat.data.forEach((value, i) => {
      assert.ok(Math.abs(value - tensors.x_hat.data[i]) < 1e-5, `${i}`)
    })
  }
})

test('activations of another width are refused', async () => {
  using sae = await loadSae(kernels, directory)
  await assert.rejects(sae.encode({ shape: [2, 5], data: new Float32Array(10) }), {
    code: 'shape',
    message: /\[\.\.\., 16\], got \[2, 5\]/,
  })
  const none = { rowOffsets: new Int32Array(2), featureIds: new Int32Array(0), values: new Float32Array(0) }
  await assert.rejects(sae.decode(none), { code: 'shape' })
})
