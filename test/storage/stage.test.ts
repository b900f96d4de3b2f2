import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStage } from '../../src/storage/open-stage.js'
import { firstDifference, runStage, type StageRequest } from '../../src/storage/stage.js'
import { temporaryDirectory } from '../temporary-directory.js'

const request = (out: string, config: StageRequest['config'] = { seed: 1 }): StageRequest => ({
  stage: 'toy',
  out,
  config,
  inputs: {},
  seed: 1,
})

/** A stage whose payload is one file with the given content. */
const writes =
  (content: string) =>
  async (partial: string): Promise<void> =>
    writeFile(join(partial, 'payload.txt'), content)

const mustNotRun = async (): Promise<void> => assert.fail('the stage was computed again')

test('a finished stage holds payload, config and a manifest with the hash of each file', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  const result = await runStage(request(out), writes('hello'))
  assert.deepEqual(result, { directory: out, reused: false })
  assert.deepEqual((await readdir(out)).sort(), ['config.json', 'manifest.json', 'payload.txt'])
  const manifest = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))
  assert.deepEqual(manifest.files['payload.txt'], {
    sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    bytes: 5,
  })
  assert.deepEqual(Object.keys(manifest.files), ['config.json', 'payload.txt'])
  assert.equal(manifest.seed, 1)
  assert.ok(!existsSync(`${out}.partial`))
})

test('a finished stage with the same config is reused without computing', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out), writes('hello'))
  assert.equal((await runStage(request(out), mustNotRun)).reused, true)
})

test('a finished stage with another config is refused, and the key that differs is named', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out, { seed: 1, k: 32 }), writes('hello'))
  await assert.rejects(runStage(request(out, { seed: 1, k: 64 }), mustNotRun), {
    code: 'config',
    message: /config\.k is 32 there, 64 was asked for/,
  })
})

test('a partial stage with work in it is refused to another config', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  const stops = async (partial: string): Promise<void> => {
    await writeFile(join(partial, 'checkpoint.json'), '7')
    throw new Error('stop')
  }
  await assert.rejects(runStage(request(out, { k: 32 }), stops), /stop/)
  await assert.rejects(runStage(request(out, { k: 64 }), mustNotRun), {
    code: 'config',
    message: /config\.k/,
  })
  assert.equal(await readFile(join(`${out}.partial`, 'checkpoint.json'), 'utf8'), '7')
})

test('a stage that failed before it made anything leaves nothing, and another config may follow', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await assert.rejects(
    runStage(request(out, { k: 32 }), async () => Promise.reject(new Error('stop'))),
    /stop/,
  )
  assert.ok(!existsSync(`${out}.partial`))
  await mkdir(`${out}.partial`)
  await writeFile(
    join(`${out}.partial`, 'config.json'),
    JSON.stringify({ stage: 'toy', config: { k: 32 }, inputs: {} }),
  )
  await runStage(request(out, { k: 64 }), writes('hello'))
})

test('a stage is refused when its input was made again with other content', async (t) => {
  const directory = await temporaryDirectory(t)
  const [first, second] = [join(directory, 'a'), join(directory, 'b')]
  await runStage(request(first), writes('one'))
  await runStage(request(second), writes('two'))
  const later = (input: string): StageRequest => ({
    ...request(join(directory, 'later')),
    inputs: { toy: input },
  })
  await runStage(later(first), writes('x'))
  await assert.rejects(runStage(later(second), mustNotRun), { code: 'config', message: /inputs\.toy/ })
})

test('a failed stage leaves only the partial directory, and the next run finds what it left there', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await assert.rejects(
    runStage(request(out), async (partial) => {
      await writeFile(join(partial, 'checkpoint.json'), '7')
      throw new Error('stop')
    }),
    /stop/,
  )
  assert.ok(!existsSync(out))
  assert.ok(!existsSync(join(`${out}.partial`, 'lock')))
  await runStage(request(out), async (partial) => {
    assert.equal(await readFile(join(partial, 'checkpoint.json'), 'utf8'), '7')
    await writes('hello')(partial)
  })
  assert.deepEqual((await readdir(out)).sort(), ['config.json', 'manifest.json', 'payload.txt'])
})

test('a stage killed after sealing is finished without computing again', async (t) => {
  const directory = await temporaryDirectory(t)
  const out = join(directory, 'toy')
  const before = join(directory, 'before')
  await runStage(request(before), writes('hello'))
  await mkdir(`${out}.partial`)
  for (const name of await readdir(before))
    await writeFile(join(`${out}.partial`, name), await readFile(join(before, name)))
  await runStage(request(out), mustNotRun)
  assert.equal(await readFile(join(out, 'payload.txt'), 'utf8'), 'hello')
})

test('a directory that is not ours is never touched', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await mkdir(out)
  await writeFile(join(out, 'thesis.txt'), 'precious')
  await assert.rejects(runStage(request(out), mustNotRun), { code: 'config', message: /not a finished toy/ })
  assert.deepEqual(await readdir(out), ['thesis.txt'])
})

test('an output path below a file is a clear error', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'file'), '')
  await assert.rejects(runStage(request(join(directory, 'file', 'toy')), mustNotRun), { code: 'io' })
})

test('two runs of one stage in this process: the second is told that it is busy', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await runStage(request(out), async (partial) => {
    await assert.rejects(runStage(request(out), mustNotRun), { code: 'busy' })
    await writes('hello')(partial)
  })
})

test('a lock of a living process is respected, one of a dead process is taken over', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  t.after(() => other.kill('SIGKILL'))
  await mkdir(`${out}.partial`)
  await writeFile(join(`${out}.partial`, 'lock'), String(other.pid))
  await assert.rejects(runStage(request(out), mustNotRun), {
    code: 'busy',
    message: new RegExp(`process ${other.pid}`),
  })
  const ended = once(other, 'exit')
  other.kill('SIGKILL')
  await ended
  await runStage(request(out), writes('hello'))
})

test('a lock left by a killed process that had our process id is taken over', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await mkdir(`${out}.partial`)
  await writeFile(join(`${out}.partial`, 'lock'), String(process.pid))
  await runStage(request(out), writes('hello'))
})

test('an empty lock is stale', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  await mkdir(`${out}.partial`)
  await writeFile(join(`${out}.partial`, 'lock'), '')
  await runStage(request(out), writes('hello'))
})

test('SIGKILL leaves only the partial directory, with what was written, and the next run resumes', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  const module = new URL('../../src/storage/stage.js', import.meta.url).href
  const program = `
    import { runStage } from ${JSON.stringify(module)}
    import { writeFile } from 'node:fs/promises'
    await runStage(${JSON.stringify(request(out))}, async (partial) => {
      await writeFile(partial + '/checkpoint.json', '7')
      console.log('ready')
      await new Promise((resolve) => setTimeout(resolve, 60_000))
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(!existsSync(out))
  await runStage(request(out), async (partial) => {
    assert.equal(await readFile(join(partial, 'checkpoint.json'), 'utf8'), '7')
    await writes('hello')(partial)
  })
})

test('a file that was hashed while it was written is not read again', async (t) => {
  const out = join(await temporaryDirectory(t), 'toy')
  const entry = { sha256: 'as it was given', bytes: 5 }
  await runStage(request(out), async (partial, hashed) => {
    await writes('hello')(partial)
    hashed.set('payload.txt', entry)
  })
  assert.deepEqual((await openStage(out, 'toy')).manifest.files['payload.txt'], entry)
})

test('firstDifference names the path of the first value that differs', () => {
  assert.equal(firstDifference({ a: [1, 2], b: { c: 1 } }, { a: [1, 2], b: { c: 1 } }, ''), null)
  assert.equal(firstDifference({ b: { c: 1 } }, { b: { c: 2 } }, ''), 'b.c is 1 there, 2 was asked for')
  assert.equal(firstDifference({}, { a: true }, ''), 'a is undefined there, true was asked for')
})
