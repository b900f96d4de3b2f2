import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { loadCheckpoint, saveCheckpoint } from '../../src/formats/checkpoint.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-checkpoint-'))
})
afterEach(() => rm(directory, { recursive: true }))

const tensors = (value: number) => ({ w: { shape: [2], data: Float32Array.of(value, 1 / 3) } })
const corrupt = { code: 'corrupt', hint: /remove/ }

test('a directory without a checkpoint gives null', async () => {
  assert.equal(await loadCheckpoint(directory), null)
})

test('the last checkpoint is the one that loads, and older ones are removed', async () => {
  for (const step of [1, 2, 3]) await saveCheckpoint(directory, { step, x: 0.1 + 0.2 }, tensors(step))
  assert.deepEqual((await readdir(directory)).sort(), ['checkpoint-3.safetensors', 'checkpoint.json'])
  const checkpoint = await loadCheckpoint(directory)
  assert.deepEqual(checkpoint?.state, { step: 3, x: 0.1 + 0.2 })
  assert.deepEqual(checkpoint?.tensors.w.data, Float32Array.of(3, 1 / 3))
})

test('a crash between the tensors and checkpoint.json leaves the earlier checkpoint in force', async () => {
  await saveCheckpoint(directory, { step: 1 }, tensors(1))
  await writeFile(join(directory, 'checkpoint-2.safetensors'), 'half written')
  assert.deepEqual((await loadCheckpoint(directory))?.state, { step: 1 })
  await saveCheckpoint(directory, { step: 3 }, tensors(3))
  assert.deepEqual((await loadCheckpoint(directory))?.state, { step: 3 })
  assert.deepEqual((await readdir(directory)).length, 2)
})

test('one flipped bit in the tensors or in the state is found', async () => {
  await saveCheckpoint(directory, { step: 12 }, tensors(1))
  const path = join(directory, 'checkpoint-1.safetensors')
  const bytes = await readFile(path)
  bytes[bytes.length - 1] ^= 1
  await writeFile(path, bytes)
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /expected SHA-256/ })
  bytes[bytes.length - 1] ^= 1
  await writeFile(path, bytes)
  const index = await readFile(join(directory, 'checkpoint.json'), 'utf8')
  await writeFile(join(directory, 'checkpoint.json'), index.replace('"step":12', '"step":13'))
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /state does not match/ })
})

test('a checkpoint with a missing file, broken JSON or a foreign path is refused', async () => {
  await saveCheckpoint(directory, { step: 1 }, tensors(1))
  const path = join(directory, 'checkpoint.json')
  const index = await readFile(path, 'utf8')
  await writeFile(path, index.slice(0, -5))
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /expected JSON/ })
  await writeFile(path, index.replace('checkpoint-1.safetensors', '../checkpoint-1.safetensors'))
  await assert.rejects(loadCheckpoint(directory), corrupt)
  await writeFile(path, 'null')
  await assert.rejects(loadCheckpoint(directory), corrupt)
  await writeFile(path, index)
  await rm(join(directory, 'checkpoint-1.safetensors'))
  await assert.rejects(loadCheckpoint(directory), { ...corrupt, message: /is missing/ })
})
