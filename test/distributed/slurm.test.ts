import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { loadSae } from '../../src/sae/sae.js'
import { kernels, smallRun } from '../small-run.js'
import { noMpi } from './find-mpi.js'
import { noSlurm } from './find-slurm.js'
import { projectRoot } from './project-root.js'
import { type Slurm, startSlurm } from './slurm.js'

const script = join(projectRoot, 'docs', 'cluster', 'train.sbatch')

/** Submits the documented script and waits for its end. */
async function submit(
  { directory, environment }: Slurm,
  args: readonly string[],
): Promise<{ state: string; log: string }> {
  // `monosem` as `npm link` leaves it on the path
  const programs = join(directory, 'bin')
  await mkdir(programs, { recursive: true })
  await symlink(join(projectRoot, 'dist', 'src', 'cli', 'main.js'), join(programs, 'monosem')).catch(() => {})
  const log = join(directory, 'job.log')
  const job = spawnSync('sbatch', ['--parsable', `--output=${log}`, script, ...args], {
    cwd: directory,
    env: {
      ...environment,
      PATH: `${programs}:${process.env.PATH}`,
      // more ranks than cores
      OMPI_MCA_mpi_yield_when_idle: '1',
      OMPI_MCA_btl_vader_single_copy_mechanism: 'none',
    },
    encoding: 'utf8',
  })
  assert.equal(job.status, 0, job.stderr)
  const state = await endOf(job.stdout.trim(), environment)
  return { state, log: await readFile(log, 'utf8').catch(() => 'no log') }
}

/** How a job ended: COMPLETED, FAILED, ... */
async function endOf(job: string, env: NodeJS.ProcessEnv): Promise<string> {
  for (;;) {
    const { stdout } = spawnSync('scontrol', ['--oneliner', 'show', 'job', job], { env, encoding: 'utf8' })
    const [, state = 'unknown'] = /JobState=(\S+)/.exec(stdout) ?? []
    if (!['PENDING', 'CONFIGURING', 'RUNNING', 'COMPLETING'].includes(state)) return state
    await setTimeout(200)
  }
}

test('the documented script trains an autoencoder on two tasks of a Slurm of this machine', {
  skip: noMpi ?? noSlurm ?? false,
  timeout: 300_000,
}, async (t) => {
  const { corpus, model } = (await smallRun(t, { collect: false })).inputs
  const slurm = await startSlurm(t, 2)
  const out = join(slurm.directory, 'sae')
  const args = [
    ...[
      '--corpus',
      corpus,
      '--model',
      model,
      '--out',
      out,
      '--architecture',
      'topk',
      '--k',
      '3',
      '--features',
      '24',
    ],
    ...['--train-tokens', '4096', '--batch-size', '256', '--buffer-tokens', '512', '--init-tokens', '512'],
    ...['--measure-tokens', '512', '--dead-features', 'none'],
  ]
  const { state, log } = await submit(slurm, args)
  assert.equal(state, 'COMPLETED', log)
  const [timing] = (await readFile(join(out, 'timings.jsonl'), 'utf8')).split('\n')
  assert.equal(JSON.parse(timing).featureRanks, 2)
  const { params } = await loadSae(kernels, out)
  assert.deepEqual(params.wEnc.shape, [24, 12])

  await t.test('options that make no sense end the job with what is wrong', async () => {
    const failed = await submit(slurm, [...args, '--feature-ranks', '3'])
    assert.equal(failed.state, 'FAILED')
    assert.match(failed.log, /rank 0: error: expected --feature-ranks x --data-ranks to be the 2 ranks/)
  })
})
