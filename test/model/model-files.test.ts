import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { readTransformerConfig, saveTransformer } from '../../src/model/model-files.js'
import { FAMILIES, TINY, tinyModel } from './tiny-model.js'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'model-files-'))
})
after(() => rm(directory, { recursive: true }))

test('the configuration of every family is read as it was written', async () => {
  const kernels = await loadKernels()
  for (const config of Object.values(FAMILIES)) {
    await saveTransformer(await tinyModel(kernels, config), directory)
    assert.deepEqual((await readTransformerConfig(join(directory, 'model.json'))).config, config)
  }
})

test('sizes alone, as older versions wrote them, are a model of our own kind', async () => {
  const path = join(directory, 'older.json')
  const { layers, dModel, heads, dMlp, context, vocabularySize } = TINY
  await writeFile(path, JSON.stringify({ layers, dModel, heads, dMlp, context, vocabularySize }))
  assert.deepEqual((await readTransformerConfig(path)).config, TINY)
})

test('what is no configuration is refused with its path', async () => {
  const path = join(directory, 'broken.json')
  for (const text of ['{', 'null', '{"layers": 2}', JSON.stringify({ ...TINY, keyValueHeads: 7 })]) {
    await writeFile(path, text)
    await assert.rejects(readTransformerConfig(path), { code: 'format', message: /broken\.json: expected/ })
  }
  await assert.rejects(readTransformerConfig(join(directory, 'none.json')), { code: 'missing' })
})
