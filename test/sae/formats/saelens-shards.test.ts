import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSafetensors, writeSafetensors } from '../../../src/formats/safetensors.js'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { Random } from '../../../src/random/random.js'
import { convertSae } from '../../../src/sae/formats/convert-sae.js'
import { isSaeFile, listSaes } from '../../../src/sae/formats/detect.js'
import { readSae } from '../../../src/sae/formats/read-sae.js'
import { readSaelens, writeSaelens } from '../../../src/sae/formats/saelens.js'
import { loadSae } from '../../../src/sae/sae.js'
import { runStage } from '../../../src/storage/stage.js'
import { type Lifetime, temporaryDirectory } from '../../temporary-directory.js'
import { topkConfig } from './topk-config.js'

const [d, features] = [3, 7]
const random = new Random(5)
const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
const arrays = {
  wEnc: normals(d * features),
  bEnc: normals(features),
  wDec: normals(d * features),
  bDec: normals(d),
}
const config = topkConfig(d, features, {
  k: 2,
  rescale_acts_by_decoder_norm: false,
  metadata: { hook_name: 'blocks.0.hook_resid_post' },
})

/** W_dec and W_enc alone, b_dec and b_enc together. */
const shardBytes = 50
const shard = (i: number) => `sae_weights-0000${i}-of-00003.safetensors`
const index = 'sae_weights.safetensors.index.json'

async function sharded(t: Lifetime): Promise<string> {
  const directory = join(await temporaryDirectory(t), 'sharded')
  await mkdir(directory)
  await writeSaelens(directory, { config, arrays, shardBytes })
  return directory
}

test('an autoencoder in shards is read as one in a single file, by every reader', async (t) => {
  const directory = await sharded(t)
  assert.deepEqual(
    (await readdir(directory)).sort(),
    ['cfg.json', shard(1), shard(2), shard(3), index].sort(),
  )
  assert.deepEqual(Object.keys((await readSafetensors(join(directory, shard(2)))).tensors), ['W_enc'])
  assert.ok((await readdir(directory)).every(isSaeFile))
  const single = await temporaryDirectory(t)
  await writeSaelens(single, { config, arrays })
  assert.deepEqual((await readdir(single)).sort(), ['cfg.json', 'sae_weights.safetensors'])
  assert.deepEqual(await readSaelens(directory), await readSaelens(single))
  for (const path of [directory, join(directory, index)]) {
    const read = await readSae(path)
    assert.deepEqual(read.arrays, arrays)
    assert.deepEqual(
      read.files.map((file) => file.slice(directory.length + 1)).sort(),
      ['cfg.json', shard(1), shard(2), shard(3), index].sort(),
    )
  }
  assert.equal((await loadSae(createReferenceKernels(), directory)).features, features)
  assert.deepEqual(await listSaes(join(directory, '..')), ['sharded'])
})

test('the size of tiles changes nothing, and what was hashed on the way is what lies there', async (t) => {
  const whole = await sharded(t)
  for (const tileBytes of [1, 30, 60]) {
    const directory = await temporaryDirectory(t)
    const options = { stage: 'sae', out: join(directory, 'sae'), config: {}, inputs: {} }
    const read: Record<string, string> = {}
    await runStage(options, async (partial) => {
      await writeSaelens(partial, { config, arrays, shardBytes, tileBytes })
    })
    const manifest = JSON.parse(await readFile(join(options.out, 'manifest.json'), 'utf8'))
    for (const [name, { sha256 }] of Object.entries<{ sha256: string }>(manifest.files)) read[name] = sha256
    await rm(options.out, { recursive: true })
    let entered: string[] = []
    await runStage(options, async (partial, hashed) => {
      await writeSaelens(partial, { config, arrays, shardBytes, tileBytes, hashed })
      entered = [...hashed.keys()]
    })
    assert.deepEqual(entered.sort(), [shard(1), shard(2), shard(3)])
    const again = JSON.parse(await readFile(join(options.out, 'manifest.json'), 'utf8'))
    assert.deepEqual(again, manifest)
    for (const name of [shard(1), shard(2), shard(3), index])
      assert.deepEqual(await readFile(join(options.out, name)), await readFile(join(whole, name)))
  }
})

test('a conversion cuts weights into shards and puts them together, and says whether SAELens loads them', async (t) => {
  const source = await sharded(t)
  const directory = await temporaryDirectory(t)
  const together = await convertSae(source, join(directory, 'together'))
  assert.deepEqual([together.sharded, together.saelensLoadsIt], [false, true])
  assert.deepEqual(
    Object.keys(together.sourceFiles).sort(),
    ['cfg.json', shard(1), shard(2), shard(3), index].sort(),
  )
  const cut = await convertSae(together.directory, join(directory, 'cut'), { shardBytes })
  assert.deepEqual([cut.sharded, cut.saelensLoadsIt], [true, false])
  for (const name of [shard(1), shard(2), shard(3), index])
    assert.deepEqual(await readFile(join(cut.directory, name)), await readFile(join(source, name)))
  assert.deepEqual((await readSae(cut.directory)).arrays, arrays)
})

test('a finished directory whose shard has changed is refused', async (t) => {
  const staged = join(await temporaryDirectory(t), 'sae')
  await runStage({ stage: 'sae', out: staged, config: {}, inputs: {} }, (partial) =>
    writeSaelens(partial, { config, arrays, shardBytes }),
  )
  assert.deepEqual((await readSae(staged)).arrays, arrays)
  const bytes = await readFile(join(staged, shard(2)))
  bytes[bytes.length - 1] ^= 1
  await writeFile(join(staged, shard(2)), bytes)
  await assert.rejects(readSae(staged), { code: 'corrupt', message: /00002-of-00003.*SHA-256/ })
})

test('shards that are not whole are refused', async (t) => {
  const noShard = await sharded(t)
  await rm(join(noShard, shard(3)))
  const message = /index\.json: tensor "b_dec" .*00003-of-00003\.safetensors", which is not there/
  for (const read of [readSae, readSaelens])
    await assert.rejects(read(noShard), { code: 'missing', message }, read.name)

  const withIndex = async (change: (weightMap: Record<string, string>) => void): Promise<string> => {
    const directory = await sharded(t)
    const value = JSON.parse(await readFile(join(directory, index), 'utf8'))
    change(value.weight_map)
    await writeFile(join(directory, index), JSON.stringify(value))
    return directory
  }
  const elsewhere = await withIndex((map) => {
    map.W_enc = map.W_dec
  })
  await assert.rejects(readSae(elsewhere), {
    code: 'missing',
    message: /tensor "W_enc" .*00001-of-00003\.safetensors", which has no such tensor/,
  })
  const unlisted = await withIndex((map) => {
    delete map.b_enc
  })
  await assert.rejects(readSaelens(unlisted), { code: 'format', message: /expected a tensor b_enc \[7\]/ })
  const outside = await withIndex((map) => {
    map.W_enc = '../../weights.safetensors'
  })
  await assert.rejects(readSae(outside), { code: 'format', message: /outside/ })
  const unknown = await withIndex((map) => {
    map.threshold = map.b_enc
  })
  await assert.rejects(readSae(unknown), { code: 'missing', message: /"threshold"/ })
})

test('a shard whose tensor has another shape is refused', async (t) => {
  const directory = await sharded(t)
  await writeSafetensors(join(directory, shard(2)), { W_enc: { shape: [7, 3], data: arrays.wEnc } })
  await assert.rejects(readSae(directory), {
    code: 'format',
    message: /index\.json: expected W_enc \[3,7\] .*got F32 \[7,3\]/,
  })
})

test('one file and shards of it side by side are refused: which one counts is not known', async (t) => {
  const directory = await sharded(t)
  await writeSaelens(directory, { config, arrays })
  await assert.rejects(readSae(directory), { code: 'format', message: /expected one autoencoder/ })
})
