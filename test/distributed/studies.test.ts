import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { evalConfigSchema } from '../../src/eval/eval-config.js'
import { runEvalStage } from '../../src/eval/eval-stage.js'
import { explainConfigSchema } from '../../src/explain/explain-config.js'
import { openExplanations } from '../../src/explain/explanations.js'
import { runFeaturesStage } from '../../src/features/features-stage.js'
import { ownFeatures } from '../../src/features/own-features.js'
import { loadKernels } from '../../src/kernels/load.js'
import { silentProgress } from '../../src/progress/progress.js'
import { sha256 } from '../../src/storage/atomic-file.js'
import type { Manifest } from '../../src/storage/stage.js'
import { randomArrays } from '../eval/tiny-sae.js'
import { chatReply, localServer } from '../explain/llm/local-server.js'
import { smallConfig, smallRun } from '../small-run.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'
import { explainInto, type StudiesRun } from './studies-run.js'

const context = { progress: silentProgress, kernels: await loadKernels({ threads: 1 }) }

test('features are dealt out by whole files', () => {
  const dealt = (features: number, size: number) =>
    Array.from({ length: size }, (_, rank) => {
      const { first, count, places } = ownFeatures({ rank, size }, features)
      return [first, count, places === null]
    })
  assert.deepEqual(dealt(1200, 2), [
    [0, 1024, false],
    [1024, 176, false],
  ])
  assert.deepEqual(dealt(24, 3), [
    [0, 24, true],
    [24, 0, false],
    [24, 0, false],
  ])
  const { places } = ownFeatures({ rank: 1, size: 2 }, 600)
  assert.deepEqual([places?.[511], places?.[512], places?.[599]], [-1, 0, 87])
})

/** The files of a finished stage, with their hashes. */
const filesOf = async (directory: string): Promise<Manifest['files']> =>
  JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')).files

/** All rows of a store of explanations but for when they were written, and what some of them were scored on. */
async function rowsOf(directory: string, features: string) {
  const store = await openExplanations(directory, features)
  const rows = (await store.list({ limit: 10_000 })).map(({ created, ...row }) => row)
  const some = rows.filter((_, i) => i % 50 === 0)
  return { rows, scored: await Promise.all(some.map(({ id }) => store.scoredExamples(id))) }
}

test('3 ranks evaluate, gather features and explain to the bytes of one', {
  skip: noMpi ?? false,
}, async (t) => {
  const { root, inputs } = await smallRun(t, { arrays: randomArrays(1200, 12), collect: false })
  const server = await localServer(t, ({ body }) =>
    chatReply({ reasoning: 'none', explanation: sha256(JSON.stringify(body.messages)) }),
  )
  const alone = join(root, 'alone')
  const run: StudiesRun = {
    inputs,
    store: join(alone, 'features'),
    evals: {
      eval: evalConfigSchema.parse({ tokens: 1200, batchWindows: 10 }),
      'eval of two batches': evalConfigSchema.parse({ tokens: 32, batchWindows: 1 }),
    },
    features: {
      features: smallConfig,
      'features of one batch': { ...smallConfig, tokens: 300, batchWindows: 4096 },
    },
    explanations: explainConfigSchema.parse({ features: ['0-299'], scorers: ['prediction', 'embedding'] }),
    asking: explainConfigSchema.parse({
      ...{ features: ['0-39'], scorers: ['embedding'] },
      ...{ explainer: 'compatible:tiny', baseUrl: server.url },
    }),
    out: join(root, 'together'),
  }
  await mkdir(alone)
  for (const [name, config] of Object.entries(run.features))
    await runFeaturesStage(config, { ...inputs, out: join(alone, name) }, context)
  for (const [name, config] of Object.entries(run.evals))
    await runEvalStage(config, { ...inputs, out: join(alone, name) }, context)
  const report = await explainInto(join(alone, 'explanations'), run.explanations, run, context)
  const reportOfAsking = await explainInto(join(alone, 'asked'), run.asking, run, context)
  const requests = server.received.length

  await mkdir(run.out)
  const started = await runRanks(3, 'test/distributed/programs/studies.js', [JSON.stringify(run)], {
    timeout: 400,
  })
  assert.equal(started.code, 0, started.stderr)
  const returned = JSON.parse(started.stdout)
  for (const ofRank of returned) assert.deepEqual(ofRank, returned[0])
  const [together, code, resumed] = returned[0].slice(-3)

  for (const name of [...Object.keys(run.evals), ...Object.keys(run.features)])
    await t.test(name, async () => {
      const expected = await filesOf(join(alone, name))
      assert.ok(Object.keys(expected).length >= 4)
      assert.deepEqual(await filesOf(join(run.out, name)), expected)
    })
  const sameRows = async (name: string): Promise<number> => {
    const expected = await rowsOf(join(alone, name), run.store)
    assert.deepEqual(await rowsOf(join(run.out, name), run.store), expected)
    return expected.rows.length
  }
  await t.test('explanations by statistics, in more than one chunk', async () => {
    assert.ok((await sameRows('explanations')) > 128)
    assert.deepEqual(together, JSON.parse(JSON.stringify(report)))
  })
  await t.test(
    'a language model is asked by one rank, and all stop together when any is told to',
    async () => {
      assert.equal(code, 'interrupted')
      assert.equal(await sameRows('asked'), reportOfAsking.made)
      assert.ok(resumed.made > 0 && resumed.made < reportOfAsking.made, 'what was made before is kept')
      assert.deepEqual(resumed.aggregates, JSON.parse(JSON.stringify(reportOfAsking.aggregates)))
      assert.equal(server.received.length, 2 * requests)
    },
  )
})
