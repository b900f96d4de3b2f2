import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { writeSafetensors } from '../../src/formats/safetensors.js'
import { openCheckpoint } from '../../src/formats/safetensors-index.js'

let root: string
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'monosem-index-'))
})
after(() => rm(root, { recursive: true }))

const numbers = (...values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) })

/** A directory of two shards, a and b in the first and c in the second, with an index that says `weightMap`. */
async function sharded(name: string, weightMap: unknown): Promise<string> {
  const directory = join(root, name)
  await mkdir(directory)
  await writeSafetensors(join(directory, 'one.safetensors'), { a: numbers(1), b: numbers(2, 3) })
  await writeSafetensors(join(directory, 'two.safetensors'), { c: numbers(4) }, { format: 'pt' })
  await writeFile(
    join(directory, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 16 }, weight_map: weightMap }),
  )
  return directory
}

const fails = async (weightMap: unknown, code: string, message: RegExp, name: string) =>
  assert.rejects(openCheckpoint(await sharded(name, weightMap)), { name: 'MonosemError', code, message })

test('a single file is opened as it is', async () => {
  const directory = join(root, 'single')
  await mkdir(directory)
  await writeSafetensors(join(directory, 'model.safetensors'), { w: numbers(1, 2) })
  const checkpoint = await openCheckpoint(directory)
  assert.deepEqual((await checkpoint.read('w')).data, Float32Array.of(1, 2))
  await checkpoint.close()
})

test('tensors are found in the shards that the index names', async () => {
  const directory = await sharded('good', {
    c: 'two.safetensors',
    a: 'one.safetensors',
    b: './one.safetensors',
  })
  const checkpoint = await openCheckpoint(directory)
  assert.deepEqual([...checkpoint.entries.keys()], ['c', 'a', 'b'])
  assert.equal(checkpoint.entries.get('c')?.path, join(directory, 'two.safetensors'))
  assert.deepEqual((await checkpoint.read('c')).data, Float32Array.of(4))
  assert.deepEqual((await checkpoint.readRows('b', 1, 1)).data, Float32Array.of(3))
  assert.deepEqual(checkpoint.metadata, { format: 'pt' })
  await assert.rejects(checkpoint.read('d'), { code: 'missing', message: /index\.json.*a tensor d/ })
  await checkpoint.close()
  await assert.rejects(checkpoint.read('a'), { code: 'io' })
})

test('a missing shard and a tensor that its shard lacks are named with the index', async () => {
  await fails(
    { a: 'one.safetensors', c: 'three.safetensors' },
    'missing',
    /index\.json: tensor "c" .* "three\.safetensors", which is not there/,
    'no-shard',
  )
  await fails(
    { a: 'one.safetensors', b: 'two.safetensors' },
    'missing',
    /index\.json: tensor "b" .* "two\.safetensors", which has no such tensor/,
    'no-tensor',
  )
})

test('a shard outside the directory is refused', async () => {
  const paths = ['../single/model.safetensors', join(root, 'single', 'model.safetensors'), 'x/../../y', '..']
  for (const [i, file] of paths.entries())
    await fails({ a: file }, 'format', /tensor "a" is said to be in .*outside/, `outside-${i}`)
})

test('an index that is none is refused', async () => {
  for (const [i, map] of [undefined, null, {}, { a: 3 }, { a: '' }, { a: 'x'.repeat(256) }, 'text'].entries())
    await fails(map, 'format', /index\.json: expected "weight_map"/, `no-map-${i}`)
  const directory = await sharded('no-json', {})
  await writeFile(join(directory, 'model.safetensors.index.json'), '{"weight_map":')
  await assert.rejects(openCheckpoint(directory), { code: 'format', message: /index\.json is not JSON/ })
})

test('a directory without weights says what it looked for', async () => {
  const directory = join(root, 'empty')
  await mkdir(directory)
  await assert.rejects(openCheckpoint(directory), {
    code: 'missing',
    message: /empty: expected model\.safetensors/,
  })
  await writeFile(join(directory, 'pytorch_model.bin'), '')
  await assert.rejects(openCheckpoint(directory), { code: 'missing', message: /only pytorch_model\.bin/ })
})
