import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { makeModel, output, run, start, words } from './program.js'

/** All tests share one run with a corpus and a model. */
const file = fileLifetime()
let cwd = ''
const sweep = words(
  'scaling run --run runs/a --threads 1 --features 8 16 32 --steps 30 60 --sparsities 4 --minimum-steps 20 --batch-size 64 ' +
    '--buffer-tokens 512 --init-tokens 128 --held-out-tokens 500 --model-batch 4 --together 3 --checkpoint-every-seconds 0',
)

const succeeds = (args: string[]): Promise<string> => output(args, cwd)

before(async () => {
  cwd = await temporaryDirectory(file)
  await makeModel(cwd, 'runs/a')
  await succeeds(sweep)
})

const heldOut = (jobs: string, name: string): Promise<string> =>
  readFile(join(cwd, jobs, name, 'held-out/held-out.json'), 'utf8')

test('a sweep that is killed again and again goes on, and its losses are the same to the byte', async () => {
  const jobs = 'runs/a/killed'
  const args = [...sweep, '--out', jobs]
  const moments = [
    'features-8_steps-30_k-4_seed-0/sae.partial/checkpoint.json',
    'features-16_steps-30_k-4_seed-0/sae/manifest.json',
    'features-32_steps-60_k-4_seed-0/sae.partial/checkpoint.json',
  ]
  for (const moment of moments) {
    const killed = start(args, cwd)
    assert.ok(await killed.signalWhen(() => existsSync(join(cwd, jobs, moment)), 'SIGKILL'), moment)
    assert.equal((await killed.finished).signal, 'SIGKILL')
  }
  const { done, failed } = JSON.parse(await succeeds([...args, '--json']))
  assert.deepEqual([done, failed], [6, 0])
  const names = (await readdir(join(cwd, jobs))).filter((name) => name.startsWith('features-'))
  assert.equal(names.length, 6)
  for (const name of names)
    assert.equal(await heldOut(jobs, name), await heldOut('runs/a/scaling-jobs', name))
})

test('the laws of a small sweep are said to be underpowered; the report is a page of its own', async () => {
  const text = await succeeds(words('scaling fit --run runs/a'))
  assert.match(text, /underpowered/)
  for (const file of ['scaling.json', 'report.html']) assert.ok(existsSync(join(cwd, 'runs/a/scaling', file)))
  const { laws, jobs } = JSON.parse(await succeeds(words('scaling fit --run runs/a --json')))
  assert.equal(jobs.length, 6)
  assert.equal(laws[0].lossOfCompute.fit, null)
  assert.match(laws[0].lossOfCompute.reason, /at least 5 are needed/)
})

test('stored activations are trained on with others held out', async () => {
  const harvest = words('activations harvest --run runs/a --hook blocks.0.mlp.hook_post --threads 1')
  await succeeds([...harvest, '--out', 'runs/a/stored'])
  await succeeds([...harvest, '--split', 'validation', '--out', 'runs/a/other'])
  const stored = words(
    'scaling run --activations runs/a/stored --out runs/a/from-store --features 8 --steps 30 --sparsities 4 --minimum-steps 20 --batch-size 64 ' +
      '--buffer-tokens 512 --init-tokens 128 --held-out-tokens 500',
  )
  const refused = await run(stored, cwd)
  assert.match(refused.stderr, /--held-out: expected a directory/)
  const same = await run([...stored, '--held-out', 'runs/a/stored'], cwd)
  assert.match(same.stderr, /--held-out: expected other activations/)
  assert.match(await succeeds([...stored, '--held-out', 'runs/a/other']), /1 of 1 jobs are done/)
})

test('when every job diverges, the command fails and says why', async () => {
  const { code, stderr } = await run([...sweep, ...words('--out runs/a/wild --learning-rate 1e30')], cwd)
  assert.equal(code, 1)
  assert.match(stderr, /every job failed; features-8_steps-30_k-4_seed-0: sae: expected a squared error/)
})

test('the cost of a training is said before it, with what is extrapolated', async () => {
  const cost = words(
    'scaling cost --features 1M 34M --d 32 --tokens 1B --batch-size 64 --probe-mb 0.1 --threads 1',
  )
  assert.match(await succeeds(cost), /34M .*/)
  const { sizes } = JSON.parse(await succeeds([...cost, '--json']))
  assert.ok(sizes[1].seconds > 10 * sizes[0].seconds)
  const { code, stderr } = await run(words('scaling cost --features many'), cwd)
  assert.equal(code, 2)
  assert.match(stderr, /expected a number such as 4096, 34M or 8B/)
})
