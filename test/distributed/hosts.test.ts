import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { harvestConfigSchema } from '../../src/activations/harvest-config.js'
import { runHarvestStage } from '../../src/activations/harvest-stage.js'
import { context, hookName, smallRun } from '../small-run.js'
import { createHosts, type Job, noHosts, until } from './hosts.js'

const everyHost = [0, 1, 2]
const options = { skip: noHosts ?? false, timeout: 300_000 }

test('three hosts with a rank each talk over TCP', options, async (t) => {
  const hosts = await createHosts(t, 3)
  const { code, stdout, stderr } = await hosts.start('test/distributed/programs/collectives.js', []).finished
  assert.equal(code, 0, stderr)
  const all = JSON.parse(stdout)
  assert.deepEqual(
    all.map(({ sum }: { sum: number[] }) => sum),
    [0, 1, 2].map(() => [3, 3, 1.5]),
  )
})

const training =
  '--features 32 --k 4 --architecture topk --train-tokens 16000 --batch-size 256 --buffer-tokens 2048 --init-tokens 512 ' +
  '--measure-tokens 512 --threads 1 --checkpoint-every-seconds 0'

test(
  'three hosts train; killing the rank of one ends the job, and the same command ends with the same autoencoder',
  options,
  async (t) => {
    const { root, inputs } = await smallRun(t, { collect: false })
    const activations = join(root, 'activations')
    const harvest = harvestConfigSchema.parse({ hook: [hookName], shardTokens: 512 })
    await runHarvestStage(harvest, { ...inputs, out: activations }, context)
    const hosts = await createHosts(t, 3)
    const train = (out: string): Job =>
      hosts.start('src/cli/main.js', [
        ...['sae', 'train', '--activations', activations, '--out', out],
        ...training.split(' '),
      ])
    const whole = join(root, 'whole')
    await succeeds(train(whole))

    const out = join(root, 'killed')
    const job = train(out)
    await until(() => savedCheckpoints(`${out}.partial`) > 10, job)
    const ranks = everyHost.map((host) => job.rankOn(host))
    assert.equal(new Set(ranks).size, 3)
    process.kill(ranks[1]!, 'SIGKILL')
    const { code, stderr } = await job.finished
    assert.notEqual(code, 0)
    assert.match(stderr, /rank 1 .*on signal 9/)
    assert.deepEqual(
      everyHost.map((host) => job.rankOn(host)),
      [undefined, undefined, undefined],
    )
    assert.ok(!existsSync(out) && savedCheckpoints(`${out}.partial`) > 10)

    await succeeds(train(out))
    await assertSameFiles(out, whole)
  },
)

async function succeeds({ finished }: Job): Promise<void> {
  const { code, stderr } = await finished
  assert.equal(code, 0, stderr)
}

/** How many checkpoints were saved: their files are numbered. */
function savedCheckpoints(directory: string): number {
  const names = existsSync(directory) ? readdirSync(directory) : []
  return Math.max(0, ...names.map((name) => Number(/^checkpoint-(\d+)/.exec(name)?.[1] ?? 0)))
}

/** All but how long it took, and the hashes of that. */
async function assertSameFiles(one: string, other: string): Promise<void> {
  const names = readdirSync(other).filter((name) => !['timings.jsonl', 'manifest.json'].includes(name))
  assert.ok(names.includes('sae_weights.safetensors') && names.includes('metrics.jsonl'))
  for (const name of names) {
    const [found, wanted] = await Promise.all(
      [one, other].map((directory) => readFile(join(directory, name), 'latin1')),
    )
    assert.ok(withoutRates(found) === withoutRates(wanted), `${name} differs`)
  }
}

const withoutRates = (text: string): string => text.replace(/"samplesPerSecond": [\d.]+/, '')
