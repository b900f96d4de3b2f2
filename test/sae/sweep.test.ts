import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { type SaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'
import { runSaeStage, trainSaes } from '../../src/sae/sae-stage.js'
import { syntheticSource } from './synthetic-source.js'

const kernels = createReferenceKernels()
let directory: string
after(() => rm(directory, { recursive: true }))

const quick = (values: Partial<SaeConfig> = {}): SaeConfig =>
  saeConfigSchema.parse({
    features: 16,
    trainTokens: 64 * 40,
    batchSize: 64,
    initTokens: 128,
    measureTokens: 256,
    resampleTokens: 256,
    deadAfterTokens: 64,
    resampleAt: [0.25, 0.5],
    logEverySteps: 7,
    l1Coefficient: 2,
    learningRate: 3e-3,
    k: 3,
    streamSeed: 0,
    checkpointEverySeconds: 0,
    ...values,
  })

/** Members that disturb the stream as differently as they can: resampling, lengths, sizes, kinds. */
const members: Record<string, SaeConfig> = {
  relu: quick(),
  seed: quick({ seed: 5, resampleTokens: 500 }),
  short: quick({ trainTokens: 64 * 21, measureTokens: 64 }),
  topk: quick({ architecture: 'topk', features: 12, emaDecay: 0.9 }),
}

/** Counts the batches that were made. */
function counted(): ActivationSource & { made: number } {
  const source = syntheticSource(kernels, { d: 8, features: 12, density: 0.1, seed: 1, bias: 0.5 })
  return {
    ...source,
    made: 0,
    async *batches(options) {
      for await (const batch of source.batches(options)) {
        this.made++
        yield batch
      }
    },
  }
}

const context = { progress: silentProgress, kernels }
const sweep = (name: string, source: ActivationSource, signal?: AbortSignal, configs = members) =>
  trainSaes(
    Object.entries(configs).map(([member, config]) => ({ config, out: join(directory, name, member) })),
    { source, inputs: {} },
    { ...context, ...(signal && { signal }) },
  )

async function assertSame(one: string, other: string): Promise<void> {
  for (const file of ['sae_weights.safetensors', 'sparsity.safetensors', 'metrics.jsonl', 'cfg.json'])
    assert.ok(
      (await readFile(join(directory, one, file))).equals(await readFile(join(directory, other, file))),
      `${file} of ${one} and ${other} differ`,
    )
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-sweep-'))
  for (const [member, config] of Object.entries(members))
    await runSaeStage(
      config,
      { source: counted(), out: join(directory, 'alone', member), inputs: {} },
      context,
    )
})

test('several autoencoders on one stream end as each would alone, and the stream is made once', async () => {
  const source = counted()
  const results = await sweep('together', source)
  assert.deepEqual(
    results.map(({ reused }) => reused),
    [false, false, false, false],
  )
  for (const member of Object.keys(members)) await assertSame(`together/${member}`, `alone/${member}`)
  // 2 to start, 40 to train, 4 to measure
  assert.equal(source.made, 46)
})

test('a sweep that is interrupted goes on; what is finished is reused, what was never begun joins in', async () => {
  for (const index of [6, 25, 33]) {
    const source = counted()
    const abort = new AbortController()
    const interrupted: ActivationSource = {
      ...source,
      async *batches(options) {
        let i = options.skip
        for await (const batch of source.batches(options)) {
          if (i++ === index) abort.abort()
          yield batch
        }
      },
    }
    await assert.rejects(sweep('parts', interrupted, abort.signal), { code: 'interrupted' })
    assert.ok(!existsSync(join(directory, 'parts/relu')))
    // as if the run had been killed before this one was saved for the first time
    if (index === 6) await rm(join(directory, 'parts/topk.partial'), { recursive: true })
  }
  await sweep('parts', counted())
  for (const member of Object.keys(members)) await assertSame(`parts/${member}`, `alone/${member}`)
  const again = await sweep('parts', counted())
  assert.ok(again.every(({ reused }) => reused))
})

test('one that diverges is reported in the end, and does not stop the others', async () => {
  const configs = {
    relu: members.relu,
    wild: quick({ learningRate: 1e30, warmupFraction: 0 }),
    topk: members.topk,
  }
  await assert.rejects(sweep('wild', counted(), undefined, configs), { code: 'diverged' })
  await assertSame('wild/relu', 'alone/relu')
  await assertSame('wild/topk', 'alone/topk')
  assert.ok(!existsSync(join(directory, 'wild/wild')))
})

test('autoencoders that would not read the same activations are refused before anything is made', async () => {
  const refuses = (values: Partial<SaeConfig>, message: RegExp) =>
    assert.rejects(sweep('refused', counted(), undefined, { one: quick(), other: quick(values) }), {
      code: 'config',
      message,
    })
  await refuses({ batchSize: 128 }, /got batchSize 64 for .*one and 128 for .*other/)
  await refuses({ hookName: 'hook_embed' }, /got hookName/)
  await refuses({ streamSeed: 1 }, /got streamSeed 0 for .* and 1 for/)
  await assert.rejects(trainSaes([], { source: counted(), inputs: {} }, context), { code: 'config' })
  assert.ok(!existsSync(join(directory, 'refused')))
})
