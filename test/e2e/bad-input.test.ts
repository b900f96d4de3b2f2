import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryDirectory } from '../temporary-directory.js'
import { run } from './program.js'

test('a glob that matches nothing is an error that names it, and leaves nothing', async (t) => {
  const cwd = await temporaryDirectory(t)
  const result = await run(['corpus', 'build', '--text', 'none/*.md', '--out', 'corpus'], cwd)
  assert.equal(result.code, 1)
  assert.match(result.stderr, /^error: .*none\/\*\.md/m)
  assert.match(result.stderr, /\n {2}hint: /)
  assert.doesNotMatch(result.stderr, /\n\s+at /)
  assert.deepEqual(await readdir(cwd), [])
})

test('offline, a tokenizer that the hub cache lacks is an error that says how to get it', async (t) => {
  const cwd = await temporaryDirectory(t)
  const args = ['corpus', 'build', '--tokenizer', 'owner/name', '--out', 'corpus']
  const environment = { HF_HUB_CACHE: join(cwd, 'cache'), HF_HUB_OFFLINE: '1' }
  const result = await run(args, cwd, environment)
  assert.equal(result.code, 1)
  assert.match(
    result.stderr,
    /^error: owner\/name: the cache in .* lacks revision main\n {2}hint: run the command once/m,
  )
  assert.deepEqual(await readdir(cwd), [])
})

test('a JSONL line that is no JSON is named with file and line; --skip-bad skips and counts it', async (t) => {
  const cwd = await temporaryDirectory(t)
  const lines = Array.from({ length: 60 }, (_, i) =>
    JSON.stringify({ text: `Sentence number ${i} about some river.` }),
  )
  lines[6] = '{"text": "no end'
  await writeFile(join(cwd, 'data.jsonl'), lines.join('\n'))
  const args = [
    'corpus',
    'build',
    '--text',
    'data.jsonl',
    '--vocabulary-size',
    '270',
    '--validation-fraction',
    '0.2',
  ]
  const refused = await run([...args, '--out', 'corpus'], cwd)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /data\.jsonl.*7/)
  assert.match(refused.stderr, /--skip-bad/)
  assert.ok(!existsSync(join(cwd, 'corpus')) && !existsSync(join(cwd, 'corpus.partial')))
  const skipped = await run([...args, '--skip-bad', '--out', 'corpus', '--json'], cwd)
  assert.equal(skipped.code, 0, skipped.stderr)
  assert.match(JSON.stringify(JSON.parse(skipped.stdout).skipped), /1/)
})

test('mistakes in the options end with exit code 2 and what was expected', async (t) => {
  const cwd = await temporaryDirectory(t)
  const refuses = async (args: string[], message: RegExp): Promise<void> => {
    const result = await run(args, cwd)
    assert.equal(result.code, 2, args.join(' '))
    assert.match(result.stderr, message)
    assert.equal(result.stdout, '')
  }
  await refuses(['demoo'], /unknown command 'demoo'(?:.|\n)*demo\?/)
  await refuses(['demo', '--fast'], /unknown option '--fast'/)
  await refuses(['demo', '--k', 'many'], /--k: expected a number, got "many"/)
  await refuses(['demo', '--set', 'sae.size=3'], /sae\.size is not an option/)
  await refuses(['eval'], /--corpus: expected a directory, got nothing/)
  await refuses(
    ['corpus', 'build', '--out', 'c', '--tokenizer', 'gpt2', '--vocabulary-size', '300'],
    /--vocabulary-size is for training a tokenizer(?:.|\n)*hint: leave one/,
  )
  await refuses(['corpus', 'build', '--out', 'c', '--revision', 'main'], /--revision is of the repository/)
  await refuses(['demo', '--architecture', 'vanilla'], /relu, relu-norm, gated, .*topk/)
  await refuses(['sae', 'train', '--run', 'x', '--k', '0'], /--k: expected number to be >0, got 0/)
  await refuses(
    ['sae', 'train', '--run', 'x', '--l1-coefficient', '-1'],
    /--l1-coefficient: expected .*>=0, got -1/,
  )
  await refuses(['sae', 'sweep', '--run', 'x'], /--vary: expected an option and its values/)
  await refuses(
    ['sae', 'sweep', '--run', 'x', '--vary', 'k=0,1'],
    /--vary k: expected number to be >0, got 0/,
  )
  await refuses(
    ['sae', 'sweep', '--run', 'x', '--vary', 'size=1'],
    /size is not an option that can be varied/,
  )
  await refuses(['--threads', '-1', 'eval', '--run', 'x'], /--threads: expected number to be >=0, got -1/)
  assert.deepEqual(await readdir(cwd), [])
})

test('--json reports mistakes in the options as JSON too', async (t) => {
  const result = await run(['demo', '--fast', '--json'], await temporaryDirectory(t))
  assert.equal(result.code, 2)
  assert.deepEqual(JSON.parse(result.stderr).error.code, 'config')
})

test('a run that is not there is missing, with what to do', async (t) => {
  const result = await run(['features', 'list', '--run', 'runs/none'], await temporaryDirectory(t))
  assert.equal(result.code, 1)
  assert.match(
    result.stderr,
    /runs\/none\/features: no such directory(?:.|\n)*hint: check the path, or run the stage/,
  )
})

test('--debug shows the stack', async (t) => {
  const result = await run(['features', 'list', '--run', 'runs/none', '--debug'], await temporaryDirectory(t))
  assert.match(result.stderr, /\n\s+at /)
})

test('npm run demo passes its arguments on', async () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'demo', '--', '--help'], {
    cwd: root,
  })
  assert.match(stdout, /^Usage: monosem demo/)
})
