import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, symlink } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../temporary-directory.js'
import { noMpi } from './find-mpi.js'
import { projectRoot } from './project-root.js'
import { runRanks } from './run-ranks.js'

const options = { skip: noMpi ?? false }
const commands = 'test/distributed/programs/commands.js'
const count = (text: string, part: string): number => text.split(part).length - 1

test('an error of one rank ends all of them, with its reason and its notes', options, async () => {
  const { code, stdout, stderr } = await runRanks(3, commands, ['one-fails'])
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.equal(count(stderr, 'error: the loss is NaN'), 1, stderr)
  assert.match(stderr, /rank 1: what rank 1 saw before\n/)
  assert.match(stderr, /rank 1: error: the loss is NaN\n {2}hint: lower the learning rate\n/)
})

test('an error of all ranks is printed once, with the usual exit code', options, async () => {
  const { code, stderr } = await runRanks(3, commands, ['all-fail'])
  assert.equal(code, 2)
  assert.equal(count(stderr, 'error: no such thing'), 1, stderr)
  assert.match(stderr, /rank 0: error: no such thing/)
})

test('an error of one rank as JSON says whose it is', options, async () => {
  const { stderr } = await runRanks(2, commands, ['one-fails', '--json'])
  const line = stderr.split('\n').find((text) => text.startsWith('{'))!
  assert.deepEqual(JSON.parse(line), {
    error: { rank: 1, code: 'diverged', message: 'the loss is NaN', hint: 'lower the learning rate' },
  })
})

test('an error that nobody waits for ends all ranks', options, async () => {
  const { code, stderr } = await runRanks(3, commands, ['escapes'], { timeout: 50 })
  assert.equal(code, 1, stderr)
  assert.match(stderr, /rank 1: error: nobody waits for this/)
})

test('a rank out of memory ends all ranks', options, async () => {
  const { code, stderr } = await runRanks(2, commands, ['memory', '--kernels', 'native'], { timeout: 50 })
  assert.equal(code, 1, stderr)
  assert.match(stderr, /rank 1: error: .*memory/)
})

test('a rank that leaves without a word ends all ranks', options, async () => {
  const { code } = await runRanks(3, commands, ['leaves'], { timeout: 50 })
  assert.equal(code, 1)
})

test('only rank 0 shows progress and the outcome; what others noted besides follows', options, async () => {
  const { code, stdout, stderr } = await runRanks(2, commands, ['notes'])
  assert.equal(code, 0, stderr)
  const threads = Math.max(1, Math.floor(cpus().length / 2))
  assert.equal(stdout, `the outcome of 2, ${threads}\n`)
  for (const line of ['a note of every rank\n', 'work: done', 'rank 1: a warning\n', 'kernels: '])
    assert.equal(count(stderr, line), 1, stderr)
})

test('SIGUSR2 at one rank stops all; at mpirun too, which passes it on', options, async () => {
  const one = await runRanks(2, commands, ['one-told'], { timeout: 50 })
  assert.equal(one.code, 1, one.stderr)
  assert.equal(count(one.stderr, 'stopped before the end'), 1, one.stderr)
  const all = await runRanks(2, commands, ['mpirun-told'], { timeout: 50 })
  assert.equal(all.code, 140, all.stderr)
  assert.equal(count(all.stderr, 'rank 0: stopped before the end'), 1, all.stderr)
})

test('ranks that run different commands are an error at the start', options, async () => {
  const main = join(projectRoot, 'dist', commands)
  const other = [':', '-n', '1', process.execPath, main, 'notes', '--threads', '2']
  const { code, stderr } = await runRanks(1, commands, ['notes', ...other], { timeout: 50 })
  assert.equal(code, 2)
  assert.match(
    stderr,
    /error: expected all ranks to have the same command, but rank 1 has monosem notes --threads 2 and rank 0 has monosem notes\n/,
  )
})

test('a command for one rank refuses several, and says which ones do not', options, async () => {
  const { code, stderr } = await runRanks(2, commands, ['alone'])
  assert.equal(code, 2)
  assert.equal(count(stderr, 'error: expected 1 rank for alone, got 2'), 1, stderr)
  assert.match(stderr, /one-fails, all-fail/)
  const one = await runRanks(1, commands, ['alone'])
  assert.deepEqual([one.code, one.stdout], [0, 'the outcome\n'])
})

test('options that make no sense are reported once', options, async () => {
  const { code, stderr } = await runRanks(2, 'src/cli/main.js', ['sae', 'train', '--nonsense'])
  assert.equal(code, 2)
  assert.equal(count(stderr, "unknown option '--nonsense'"), 1, stderr)
  const config = await runRanks(2, 'src/cli/main.js', ['sae', 'train', '--threads', '1000'])
  assert.equal(config.code, 2)
  assert.equal(count(config.stderr, 'error: '), 1, config.stderr)
})

test(
  'started together, but by a launcher whose ranks do not find each other: an error, not two runs',
  options,
  async () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(projectRoot, 'dist', commands), 'notes', '--quiet'],
      { env: { ...process.env, PMI_SIZE: '2', PMI_RANK: '0' }, encoding: 'utf8', timeout: 50_000 },
    )
    assert.equal(status, 2, stderr)
    assert.match(stderr, /expected 2 ranks, as many as were started, got 1 that find each other/)
  },
)

test('several ranks where the addon is not compiled are an error; one goes on', async (t) => {
  const root = await temporaryDirectory(t)
  await cp(join(projectRoot, 'dist', 'src'), join(root, 'dist', 'src'), { recursive: true })
  await symlink(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
  for (const name of ['package.json', 'binding.gyp']) await cp(join(projectRoot, name), join(root, name))
  const build = (size: number) =>
    spawnSync(
      process.execPath,
      [
        join(root, 'dist', 'src', 'cli', 'main.js'),
        'corpus',
        'build',
        '--text',
        'none/*',
        '--out',
        join(root, 'corpus'),
      ],
      {
        env: { ...process.env, OMPI_COMM_WORLD_SIZE: String(size), OMPI_COMM_WORLD_RANK: '0' },
        encoding: 'utf8',
        cwd: root,
      },
    )
  const several = build(2)
  assert.equal(several.status, 1)
  assert.match(several.stderr, /^rank 0: error: the MPI addon is not there.*\n {2}hint: .*npm run build:mpi/)
  assert.ok(!existsSync(join(root, 'corpus.partial')))
  assert.doesNotMatch(build(1).stderr, /MPI/)
})
