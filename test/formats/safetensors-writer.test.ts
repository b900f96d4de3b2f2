import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { createSafetensorsWriter } from '../../src/formats/safetensors-writer.js'
import { sha256 } from '../../src/storage/atomic-file.js'
import { temporaryDirectory } from '../temporary-directory.js'

const planned = {
  small: { dtype: 'U8', shape: [3] },
  halves: { dtype: 'BF16', shape: [2, 2] },
  matrix: { dtype: 'F32', shape: [2, 3] },
} as const

test('tensors are written in pieces and in any order, and read back', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'a.safetensors')
  const writer = await createSafetensorsWriter(path, planned, { made: 'here' })
  await writer.write('matrix', Float32Array.of(4, 5, 6), 3)
  await writer.write('small', Uint8Array.of(7, 8, 9))
  await writer.write('halves', Uint16Array.of(0x3f80, 0x4000, 0xbf80, 0))
  assert.deepEqual(await readdir(directory), ['a.safetensors.tmp'])
  await writer.write('matrix', Float32Array.of(0, 1, 2, 3).subarray(1))
  assert.equal(await writer.finish(), null, 'no hash of what was not written in order')
  await writer.discard()
  const { tensors, metadata } = await readSafetensors(path)
  assert.deepEqual(await readdir(directory), ['a.safetensors'])
  assert.deepEqual(metadata, { made: 'here' })
  assert.deepEqual([...tensors.matrix.data], [1, 2, 3, 4, 5, 6])
  assert.deepEqual(tensors.matrix.shape, [2, 3])
  assert.deepEqual([...tensors.halves.data], [1, 2, -1, 0])
  assert.deepEqual([...tensors.small.data], [7, 8, 9])
})

test('what is written in the order of the file is hashed on the way', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.safetensors')
  const writer = await createSafetensorsWriter(path, planned)
  await writer.write('matrix', Float32Array.of(1, 2))
  await writer.write('matrix', Float32Array.of(3, 4, 5, 6), 2)
  await writer.write('halves', Uint16Array.of(0x3f80, 0x4000, 0xbf80, 0))
  await writer.write('small', Uint8Array.of(7, 8, 9))
  const bytes = await readFile(`${path}.tmp`)
  assert.deepEqual(await writer.finish(), { sha256: sha256(bytes), bytes: bytes.length })
})

test('a file that is not whole never has its name', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'a.safetensors')
  const unfinished = await createSafetensorsWriter(path, planned)
  await unfinished.write('small', Uint8Array.of(1, 2))
  await assert.rejects(unfinished.finish(), {
    code: 'shape',
    message: /has 0 of 6 elements|has 2 of 3 elements/,
  })
  assert.deepEqual(await readdir(directory), [])
  const discarded = await createSafetensorsWriter(path, planned)
  await discarded.discard()
  assert.deepEqual(await readdir(directory), [])
})

test('what does not fit is refused', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.safetensors')
  const write = async (...args: Parameters<Awaited<ReturnType<typeof createSafetensorsWriter>>['write']>) =>
    (await createSafetensorsWriter(path, planned)).write(...args)
  await assert.rejects(write('other', Uint8Array.of(1)), { code: 'missing', message: /other/ })
  await assert.rejects(write('matrix', Int32Array.of(1)), { code: 'shape', message: /F32 .* got I32/ })
  await assert.rejects(write('matrix', new Float32Array(4), 3), { code: 'shape' })
  await assert.rejects(createSafetensorsWriter(join(path, 'no', 'such'), planned), { code: 'missing' })
})
