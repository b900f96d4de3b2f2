import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { openActivations } from '../../src/activations/activation-store.js'
import { shardFile } from '../../src/activations/store-info.js'
import { singleRank } from '../../src/distributed/communicator.js'
import { loadKernels } from '../../src/kernels/load.js'
import { Random } from '../../src/random/random.js'
import { smallRun } from '../small-run.js'
import { fileLifetime } from '../temporary-directory.js'
import { noMpi } from './find-mpi.js'
import { type RanksResult, runRanks } from './run-ranks.js'
import { buildCorpora, digestBatches, harvestBoth, type Work } from './texts-work.js'

const program = 'test/distributed/programs/texts.js'
const lifetime = fileLifetime()
let alone: Work
let digests: Record<string, string>
let several: RanksResult

before(async () => {
  const { root } = await smallRun(lifetime, { collect: false })
  await writeTexts(join(root, 'many'))
  await writeFile(join(root, 'bad.jsonl'), '"a text"\n"another"\nno JSON\n')
  alone = { kernels: await loadKernels({ threads: 1 }), ranks: singleRank, root, out: 'alone' }
  await buildCorpora(alone)
  await harvestBoth(alone)
  digests = await digestBatches(alone)
  if (noMpi === null) several = await runRanks(3, program, [root, 'whole'])
})

/** 1.5 MB of documents, which ranks encode in several rounds. */
async function writeTexts(directory: string): Promise<void> {
  await mkdir(directory)
  const random = new Random(1)
  const words = 'river stone bread light winter letter garden سلام שלום table water'.split(' ')
  for (const file of ['a', 'b']) {
    const line = () =>
      JSON.stringify({
        text: Array.from({ length: 300 + random.int(300) }, () => random.pick(words)).join(' '),
      })
    await writeFile(join(directory, `${file}.jsonl`), Array.from({ length: 280 }, line).join('\n'))
  }
}

async function assertSame(one: string, other: string): Promise<void> {
  const names = (await readdir(one)).sort()
  assert.deepEqual((await readdir(other)).sort(), names)
  for (const name of names) {
    const [a, b] = await Promise.all([one, other].map((directory) => readFile(join(directory, name))))
    assert.ok(a.equals(b), name)
  }
}

const options = { skip: noMpi ?? false }

test('3 ranks build the corpora that one builds', options, async () => {
  for (const name of ['corpus', 'named'])
    await assertSame(join(alone.root, 'alone', name), join(alone.root, 'several', name))
})

test('text that cannot be read is an error of all ranks, which leaves nothing', options, () => {
  const found = JSON.parse(several.stdout.split('\n')[0] || 'null')
  assert.deepEqual(found, Array(3).fill(['format', false]), several.stderr)
})

test('3 ranks harvest what one harvests', options, async () => {
  const info = JSON.parse(await readFile(join(alone.root, 'alone/activations-f32/activations.json'), 'utf8'))
  assert.ok(info.shardRows.length > 6 && info.shardRows.at(-1) < info.shardRows[0], String(info.shardRows))
  for (const name of ['activations-f32', 'activations-bf16'])
    await assertSame(join(alone.root, 'alone', name), join(alone.root, 'several', name))
})

test('every rank gets the batches of one rank, live and stored', options, () => {
  const found = JSON.parse(several.stdout.split('\n')[1] || 'null')
  assert.deepEqual(found, [digests, digests, digests], several.stderr)
})

test('a harvest that was killed on 3 ranks goes on with 2, and ends the same', options, async () => {
  assert.notEqual(several.code, 0, 'rank 1 was killed')
  const [partial, out] = ['activations-f32.partial', 'activations-f32'].map((name) =>
    join(alone.root, 'killed', name),
  )
  assert.ok(existsSync(partial) && !existsSync(out), several.stderr)
  const { code, stdout, stderr } = await runRanks(2, program, [alone.root, 'rest'])
  assert.equal(code, 0, stderr)
  const [{ first, last }] = JSON.parse(stdout)
  assert.ok(first > 0, 'work was kept')
  assert.equal(last, 1999, 'rank 0 counts the rows of all ranks')
  await assertSame(join(alone.root, 'alone/activations-f32'), out)
})

test('of several ranks, one checks a stored shard', async () => {
  const directory = join(alone.root, 'alone/activations-f32')
  const damaged = join(directory, shardFile('blocks.0.mlp.hook_post', 4))
  const file = await open(damaged, 'r+')
  lifetime.after(() => file.close())
  const { size } = await file.stat()
  const last = Buffer.alloc(1)
  await file.read(last, 0, 1, size - 1)
  await file.write(Buffer.of(last[0] ^ 1), 0, 1, size - 1)
  for (const rank of [0, 1, 2]) {
    const store = await openActivations(directory, { rank, size: 3 })
    const opened = store.openShard('blocks.0.mlp.hook_post', 4)
    if (rank === 1) await assert.rejects(opened, { code: 'corrupt' })
    else await (await opened).close()
  }
  await file.write(last, 0, 1, size - 1)
})
