import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openShards } from '../../src/formats/safetensors-index.js'
import { createShardsWriter } from '../../src/formats/safetensors-shards.js'
import { sha256 } from '../../src/storage/atomic-file.js'
import { temporaryDirectory } from '../temporary-directory.js'

const planned = {
  wide: { dtype: 'F32', shape: [5, 2] },
  a: { dtype: 'F32', shape: [2] },
  c: { dtype: 'F32', shape: [1] },
  b: { dtype: 'BF16', shape: [2] },
} as const

async function writeAll(directory: string, shardBytes?: number) {
  const writer = await createShardsWriter(directory, 'weights', planned, shardBytes)
  await writer.write('wide', Float32Array.of(0, 1, 2, 3))
  await writer.write('wide', Float32Array.of(4, 5, 6, 7, 8, 9), 4)
  await writer.write('a', Float32Array.of(10, 11))
  await writer.write('c', Float32Array.of(12))
  await writer.write('b', Uint16Array.of(0x3f80, 0x4000))
  return writer.finish()
}

test('what fits is one file without an index', async (t) => {
  const directory = await temporaryDirectory(t)
  const entries = await writeAll(directory, 56)
  assert.deepEqual(await readdir(directory), ['weights.safetensors'])
  const bytes = await readFile(join(directory, 'weights.safetensors'))
  assert.equal(entries.size, 1)
  assert.deepEqual(entries.get('weights.safetensors'), { sha256: sha256(bytes), bytes: bytes.length })
})

test('what does not is cut between tensors; one that is larger than the limit is alone', async (t) => {
  const directory = await temporaryDirectory(t)
  const entries = await writeAll(directory, 12)
  const names = [1, 2, 3].map((i) => `weights-0000${i}-of-00003.safetensors`)
  assert.deepEqual((await readdir(directory)).sort(), [...names, 'weights.safetensors.index.json'].sort())
  const index = join(directory, 'weights.safetensors.index.json')
  assert.deepEqual(JSON.parse(await readFile(index, 'utf8')), {
    metadata: { total_size: 56 },
    weight_map: { a: names[1], b: names[2], c: names[1], wide: names[0] },
  })
  assert.deepEqual([...entries.keys()], names)
  for (const name of names)
    assert.equal(entries.get(name)?.sha256, sha256(await readFile(join(directory, name))))
  const shards = await openShards(index)
  assert.deepEqual(
    [...shards.shards].sort(),
    names.map((name) => join(directory, name)),
  )
  assert.deepEqual([...(await shards.read('wide')).data], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.deepEqual([...(await shards.read('b')).data], [1, 2])
  assert.deepEqual([...(await shards.read('c')).data], [12])
  await shards.close()
})

test('nothing has its name before all is written, and what was not announced is refused', async (t) => {
  const directory = await temporaryDirectory(t)
  const writer = await createShardsWriter(directory, 'weights', planned, 12)
  await writer.write('wide', new Float32Array(10))
  await assert.rejects(writer.finish(), { code: 'shape', message: /tensor a has 0 of 2 elements/ })
  await writer.discard()
  const names = await readdir(directory)
  assert.ok(!names.some((name) => name.endsWith('.json') || name.endsWith('.tmp')), `${names}`)
  const other = await createShardsWriter(directory, 'weights', planned, 12)
  await assert.rejects(other.write('other', new Float32Array(1)), { code: 'missing', message: /other/ })
  await other.discard()
})
