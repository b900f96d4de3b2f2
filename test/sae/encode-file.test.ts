import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'
import { loadKernels } from '../../src/kernels/load.js'
import { silentProgress } from '../../src/progress/progress.js'
import { Random } from '../../src/random/random.js'
import { encodeFile } from '../../src/sae/encode-file.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { runOn } from './formats/golden-sae.js'

const kernels = await loadKernels()
const [D, F] = [5, 40]
const sae = saeOf(kernels, randomArrays(F, D), D, 'hook')

for (const n of [0, 1, 10_000])
  test(`${n} tokens, in pieces, are those of one call`, async (t) => {
    const directory = await temporaryDirectory(t)
    const random = new Random(3)
    const x = Float32Array.from({ length: n * D }, () => random.normal())
    const input = join(directory, 'x.safetensors')
    await writeSafetensors(input, { x: { shape: [n, D], data: x } })
    const [dense, sparse] = [join(directory, 'dense.safetensors'), join(directory, 'sparse.safetensors')]
    const summary = await encodeFile(sae, input, dense, { progress: silentProgress })
    await encodeFile(sae, input, sparse, { progress: silentProgress, sparse: true })
    const { f, x_hat: xHat } = (await readSafetensors(dense)).tensors
    const rows = (await readSafetensors(sparse)).tensors
    assert.deepEqual(f.shape, [n, F])
    assert.equal(rows.row_offsets.data.length, n + 1)
    assert.equal(rows.row_offsets.data[n], rows.values.data.length)
    assert.deepEqual(rows.x_hat.data, xHat.data)
    assert.ok(Math.abs(summary.l0 * n - rows.values.data.length) <= 1e-6 * n)
    if (n > 0) {
      const whole = await runOn(sae, { n, d: D, x, f: x, xHat: x })
      assert.deepEqual(f.data, whole.f)
      assert.deepEqual(xHat.data, whole.xHat)
      const errors = whole.losses.reduce((a, b) => a + b, 0)
      const squares = x.reduce((sum, v) => sum + v * v, 0)
      assert.ok(Math.abs(summary.relativeError! - errors / squares) < 1e-4)
    }
    assert.deepEqual((await readdir(directory)).length, 3, 'nothing else is left')
  })

test('f that is too large as a matrix is refused with its size', async (t) => {
  const directory = await temporaryDirectory(t)
  const features = 200_000
  const wide = saeOf(
    kernels,
    {
      wEnc: new Float32Array(features),
      bEnc: new Float32Array(features),
      wDec: new Float32Array(features),
      bDec: new Float32Array(1),
    },
    1,
    'hook',
  )
  const input = join(directory, 'x.safetensors')
  await writeSafetensors(input, { x: { shape: [30_000, 1], data: new Float32Array(30_000) } })
  await assert.rejects(encodeFile(wide, input, join(directory, 'f'), { progress: silentProgress }), {
    code: 'shape',
    message: /f \[30000,200000\] would take 22\.4 GiB, expected at most 16/,
    hint: /--sparse/,
  })
  assert.deepEqual(await readdir(directory), ['x.safetensors'])
})

test('a run that is stopped leaves nothing behind', async (t) => {
  const directory = await temporaryDirectory(t)
  const input = join(directory, 'x.safetensors')
  await writeSafetensors(input, { x: { shape: [9, D], data: new Float32Array(9 * D) } })
  for (const sparse of [true, false])
    await assert.rejects(
      encodeFile(sae, input, join(directory, 'f'), {
        progress: silentProgress,
        signal: AbortSignal.abort(),
        sparse,
      }),
      { code: 'interrupted' },
    )
  assert.deepEqual(await readdir(directory), ['x.safetensors'])
})
