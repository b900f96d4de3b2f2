import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'
import { assertSame, goldenDirectory, readGolden } from '../sae/formats/golden-sae.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { run } from './program.js'

const source = join(goldenDirectory, 'openai-topk')

async function inputFile(directory: string): Promise<string> {
  const { n, d, x } = await readGolden(source)
  const path = join(directory, 'x.safetensors')
  await writeSafetensors(path, { x: { shape: [n, d], data: x } })
  return path
}

test('sae convert and sae info: an autoencoder of OpenAI becomes one of SAELens, with its conventions', async (t) => {
  const cwd = await temporaryDirectory(t)
  const converted = await run(['sae', 'convert', source, '--to', 'saelens', '--out', 'sae', '--json'], cwd)
  assert.equal(converted.code, 0, converted.stderr)
  const { sae, sourceFiles, saelensLoadsIt } = JSON.parse(converted.stdout)
  assert.equal(sae.conventions.inputNormalization, 'layer_norm')
  assert.match(sourceFiles['autoencoder.pt'], /^[0-9a-f]{64}$/)
  assert.equal(saelensLoadsIt, true)
  const info = await run(['sae', 'info', 'sae'], cwd)
  assert.equal(info.code, 0, info.stderr)
  assert.match(info.stdout, /layout +saelens \(.*written by Monosem/)
  assert.match(info.stdout, /input normalisation +each token \(x - mean\) \/ \(std \+ 1e-5\)/)
  const again = await run(['sae', 'convert', join(goldenDirectory, 'sparsify'), '--out', 'sae'], cwd)
  assert.equal(again.code, 2)
  assert.match(again.stderr, /made with another configuration/)
  const several = await run(['sae', 'info', goldenDirectory], cwd)
  assert.match(several.stdout, /saelens\/standard/)
  const evil = await run(['sae', 'info', join(goldenDirectory, 'evil-pickle')], cwd)
  assert.equal(evil.code, 1)
  assert.match(evil.stderr, /system/)
  assert.deepEqual((await readdir(cwd)).sort(), ['sae'])
})

test('sae encode writes what the program it comes from computes, dense and sparse', async (t) => {
  const cwd = await temporaryDirectory(t)
  const golden = await readGolden(source)
  const args = ['sae', 'encode', '--sae', source, '--input', await inputFile(cwd)]
  const dense = await run([...args, '--out', 'dense.safetensors'], cwd)
  assert.equal(dense.code, 0, dense.stderr)
  const { f, x_hat: xHat } = (await readSafetensors(join(cwd, 'dense.safetensors'))).tensors
  assert.deepEqual(
    [f.shape, xHat.shape],
    [
      [32, 64],
      [32, 16],
    ],
  )
  assertSame('f', f.data as Float32Array, golden.f)
  assertSame('x_hat', xHat.data as Float32Array, golden.xHat)

  const sparse = await run([...args, '--out', 'sparse.safetensors', '--sparse', '--json'], cwd)
  assert.equal(sparse.code, 0, sparse.stderr)
  assert.equal(JSON.parse(sparse.stdout).l0, 6)
  const { tensors } = await readSafetensors(join(cwd, 'sparse.safetensors'))
  const [offsets, ids, values] = [tensors.row_offsets, tensors.feature_ids, tensors.values].map(
    ({ data }) => data,
  )
  const found = new Float32Array(32 * 64)
  for (let n = 0; n < 32; n++)
    for (let e = offsets[n]; e < offsets[n + 1]; e++) found[n * 64 + ids[e]] = values[e]
  assert.deepEqual(found, f.data)
  assert.deepEqual(tensors.x_hat.data, xHat.data)
  assert.deepEqual((await readdir(cwd)).sort(), ['dense.safetensors', 'sparse.safetensors', 'x.safetensors'])
})

test('sae encode says what does not fit', async (t) => {
  const cwd = await temporaryDirectory(t)
  await writeSafetensors(join(cwd, 'wide.safetensors'), { x: { shape: [2, 17], data: new Float32Array(34) } })
  await writeSafetensors(join(cwd, 'none.safetensors'), { y: { shape: [2], data: new Float32Array(2) } })
  const encode = (...args: string[]) => run(['sae', 'encode', '--out', 'f.safetensors', ...args], cwd)
  for (const [input, message] of [
    ['wide.safetensors', /expected x \[N, 16\], got \[2,17\]/],
    ['none.safetensors', /expected a tensor x \[N, 16\], got y/],
    ['absent.safetensors', /absent\.safetensors/],
  ] as const) {
    const refused = await encode('--sae', source, '--input', input)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, message)
  }
  const without = await encode('--input', 'wide.safetensors')
  assert.equal(without.code, 2)
  assert.match(without.stderr, /--sae: expected an autoencoder/)
  assert.deepEqual((await readdir(cwd)).sort(), ['none.safetensors', 'wide.safetensors'])
})
