import assert from 'node:assert/strict'
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStage, readStageJson } from '../../src/storage/open-stage.js'
import { runStage, type StageRequest } from '../../src/storage/stage.js'
import { temporaryDirectory } from '../temporary-directory.js'

const request = (out: string): StageRequest => ({ stage: 'toy', out, config: {}, inputs: {} })

/** A stage whose payload is one file with the given content. */
const writes =
  (content: string) =>
  async (partial: string): Promise<void> =>
    writeFile(join(partial, 'payload.txt'), content)

test('openStage refuses a missing, an unfinished and another stage, each with what to do', async (t) => {
  const directory = await temporaryDirectory(t)
  const out = join(directory, 'toy')
  await assert.rejects(openStage(out, 'toy'), { code: 'missing', hint: /run the stage/ })
  await mkdir(`${out}.partial`)
  await assert.rejects(openStage(out, 'toy'), { code: 'missing', hint: /interrupted/ })
  await runStage(request(out), writes('hello'))
  await assert.rejects(openStage(out, 'sae'), {
    code: 'missing',
    message: /expected a sae directory, got a toy/,
  })
})

test('a flipped bit in a payload file is found', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out), writes('hello'))
  const path = join(out, 'payload.txt')
  assert.equal(await (await openStage(out, 'toy')).file('payload.txt'), path)
  const bytes = await readFile(path)
  bytes[2]! ^= 1
  await writeFile(path, bytes)
  await assert.rejects((await openStage(out, 'toy')).file('payload.txt'), {
    code: 'corrupt',
    message: /SHA-256/,
  })
})

test('a truncated payload file is found', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out), writes('hello'))
  await truncate(join(out, 'payload.txt'), 3)
  await assert.rejects((await openStage(out, 'toy')).file('payload.txt'), {
    code: 'corrupt',
    message: /expected 5 bytes, got 3/,
  })
})

test('a file that the stage never wrote is missing, not undefined', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out), writes('hello'))
  await assert.rejects((await openStage(out, 'toy')).file('other.txt'), { code: 'missing' })
})

test('a JSON file is parsed after it was checked; one that is damaged, is no JSON or is not there is an error that names it', async (t) => {
  const directory = await temporaryDirectory(t)
  const [good, bad] = [join(directory, 'good'), join(directory, 'bad')]
  await runStage(request(good), writes('{"loss": [1, 2.5]}'))
  await runStage(request(bad), writes('{"loss": [1,'))
  assert.deepEqual(await readStageJson(good, 'toy', 'payload.txt'), { loss: [1, 2.5] })
  await assert.rejects(readStageJson(bad, 'toy', 'payload.txt'), {
    code: 'corrupt',
    message: /payload\.txt: expected JSON/,
  })
  await assert.rejects(readStageJson(good, 'toy', 'other.json'), { code: 'missing', message: /other\.json/ })
  await truncate(join(good, 'payload.txt'), 3)
  await assert.rejects(readStageJson(good, 'toy', 'payload.txt'), {
    code: 'corrupt',
    message: /payload\.txt/,
  })
})

test('a damaged manifest is reported as corrupt', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out), writes('hello'))
  await truncate(join(out, 'manifest.json'), 10)
  await assert.rejects(openStage(out, 'toy'), { code: 'corrupt', message: /manifest\.json: expected JSON/ })
})

test('an input that was replaced since is found', async (t) => {
  const directory = await temporaryDirectory(t)
  const input = join(directory, 'input')
  await runStage(request(input), writes('one'))
  const out = join(directory, 'later')
  await runStage({ ...request(out), inputs: { toy: input } }, writes('x'))
  const opened = await openStage(out, 'toy')
  assert.equal(await opened.input('toy'), input)
  const manifest = JSON.parse(await readFile(join(input, 'manifest.json'), 'utf8'))
  await writeFile(join(input, 'manifest.json'), JSON.stringify({ ...manifest, seed: 2 }))
  await assert.rejects(opened.input('toy'), { code: 'corrupt' })
})
