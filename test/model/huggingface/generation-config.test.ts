import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readGenerationConfig } from '../../../src/model/huggingface/generation-config.js'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-generation-'))
})
after(() => rm(directory, { recursive: true }))

const write = (name: string, value: unknown) => writeFile(join(directory, name), JSON.stringify(value))

test('ids come from generation_config.json, then from config.json', async () => {
  await assert.rejects(readGenerationConfig(directory), { code: 'missing', message: /config\.json/ })
  await write('config.json', { bos_token_id: 1, eos_token_id: 2 })
  assert.deepEqual(await readGenerationConfig(directory), { startOfText: 1, endOfText: [2] })
  await write('generation_config.json', { eos_token_id: [7, 8] })
  assert.deepEqual(await readGenerationConfig(directory), { startOfText: 1, endOfText: [7, 8] })
  await write('generation_config.json', { eos_token_id: null, bos_token_id: 5 })
  assert.deepEqual(await readGenerationConfig(directory), { startOfText: 5, endOfText: [2] })
  await write('config.json', {})
  assert.deepEqual(await readGenerationConfig(directory), { startOfText: 5, endOfText: [] })
})

test('ids that are none are refused with the file', async () => {
  await write('config.json', {})
  await write('generation_config.json', { eos_token_id: 'two' })
  const message = /generation_config\.json: eos_token_id: expected a token id or a list of them, got "two"/
  await assert.rejects(readGenerationConfig(directory), { code: 'format', message })
})
