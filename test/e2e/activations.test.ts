import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { makeModel, output, run, start, words } from './program.js'

/** All tests share one run with a corpus, a model and activations. */
const file = fileLifetime()
let cwd = ''
const harvest = words(
  'activations harvest --run runs/a --threads 1 --hook blocks.0.mlp.hook_post --hook blocks.0.hook_mlp_out --shard-tokens 256 --model-batch 4',
)
const small = words(
  '--features 32 --k 4 --architecture topk --train-tokens 6000 --batch-size 256 --buffer-tokens 2048 --init-tokens 512',
)
const measured = words('--measure-tokens 512 --threads 1 --checkpoint-every-seconds 0')

const succeeds = (args: string[]): Promise<string> => output(args, cwd)

before(async () => {
  cwd = await temporaryDirectory(file)
  await makeModel(cwd, 'runs/a')
  await succeeds(harvest)
})

async function assertSameFiles(one: string, other: string): Promise<void> {
  const names = (await readdir(join(cwd, one))).sort()
  assert.deepEqual((await readdir(join(cwd, other))).sort(), names)
  for (const name of names) {
    const [a, b] = await Promise.all([one, other].map((directory) => readFile(join(cwd, directory, name))))
    assert.ok(a.equals(b), `${name} of ${one} and ${other}`)
  }
}

test('a harvest that is killed again and again ends the same to the bit', async () => {
  const [out, args] = ['runs/a/b', [...harvest, '--out', 'runs/a/b']]
  const moments = [
    'config.json',
    'blocks.0.mlp.hook_post-00000.safetensors.tmp',
    'blocks.0.hook_mlp_out-00003.safetensors',
    'checkpoint.json.tmp',
    'blocks.0.mlp.hook_post-00010.safetensors.tmp',
  ]
  for (const moment of moments) {
    const killed = start(args, cwd)
    const there = (): boolean => existsSync(join(cwd, `${out}.partial`, moment))
    assert.ok(await killed.signalWhen(there, 'SIGKILL'), `it ended before ${moment}`)
    assert.equal((await killed.finished).signal, 'SIGKILL')
    assert.ok(!existsSync(join(cwd, out)))
  }
  const stopped = start(args, cwd)
  const late = (): boolean =>
    existsSync(join(cwd, `${out}.partial`, 'blocks.0.hook_mlp_out-00012.safetensors'))
  assert.ok(await stopped.signalWhen(late, 'SIGINT'))
  const { code, stderr } = await stopped.finished
  assert.equal(code, 130, stderr)
  assert.match(stderr, /to go on .*monosem activations harvest/)
  await succeeds(args)
  await assertSameFiles('runs/a/activations', out)
  const again = await run([...args, '--json'], cwd)
  assert.equal(JSON.parse(again.stdout).reused, true)
})

test('any number of threads gives the same bytes', async () => {
  await succeeds([...harvest.map((word) => (word === '1' ? '3' : word)), '--out', 'runs/a/c'])
  await assertSameFiles('runs/a/activations', 'runs/a/c')
})

test('sae train and sweep take stored activations, and go on after a kill', async () => {
  const args = [...words('sae train --activations runs/a/activations'), ...small, ...measured]
  await succeeds([...args, '--out', 'runs/whole'])
  const { metadata } = JSON.parse(await readFile(join(cwd, 'runs/whole/cfg.json'), 'utf8'))
  assert.equal(metadata.hook_name, 'blocks.0.mlp.hook_post')
  assert.deepEqual([metadata.model_name, metadata.context_size, metadata.prepend_bos], ['monosem', 32, false])

  const killed = start([...args, '--out', 'runs/killed'], cwd)
  const saved = (): boolean => existsSync(join(cwd, 'runs/killed.partial/checkpoint.json'))
  assert.ok(await killed.signalWhen(saved, 'SIGKILL'))
  await killed.finished
  await succeeds([...args, '--out', 'runs/killed'])
  const weights = (name: string) => readFile(join(cwd, name, 'sae_weights.safetensors'))
  assert.ok((await weights('runs/whole')).equals(await weights('runs/killed')))

  const sweep = [
    ...words('sae sweep --activations runs/a/activations --vary k=4,8 --out runs/sweep'),
    ...small,
  ]
  await succeeds([...sweep, ...measured])
  assert.ok((await weights('runs/whole')).equals(await weights('runs/sweep/k-4')))
  await succeeds(words('eval --run runs/a --sae runs/whole --out runs/eval --tokens 500 --mean-tokens 500'))
})

test('a transcoder reads two hook points of one store; one that is not stored is named', async () => {
  const args = [...words('sae train --activations runs/a/activations'), ...small, ...measured]
  await succeeds([...args, '--target-hook-name', 'blocks.0.hook_mlp_out', '--out', 'runs/transcoder'])
  const cfg = JSON.parse(await readFile(join(cwd, 'runs/transcoder/cfg.json'), 'utf8'))
  assert.deepEqual([cfg.d_in, cfg.d_out, cfg.metadata.hook_name_out], [32, 16, 'blocks.0.hook_mlp_out'])
  const refused = await run([...args, '--hook-name', 'blocks.0.hook_resid_pre', '--out', 'runs/none'], cwd)
  assert.equal(refused.code, 2)
  assert.match(
    refused.stderr,
    /holds no activations of blocks\.0\.hook_resid_pre\n\s+hint: .*blocks\.0\.hook_mlp_out/,
  )
  const nothing = await run(words('activations harvest --run runs/a --out runs/none'), cwd)
  assert.equal(nothing.code, 2)
  assert.match(nothing.stderr, /--hook: expected one or more values, got nothing/)
})
