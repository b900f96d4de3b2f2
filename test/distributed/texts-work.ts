import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openActivations } from '../../src/activations/activation-store.js'
import { harvestConfigSchema } from '../../src/activations/harvest-config.js'
import { runHarvestStage } from '../../src/activations/harvest-stage.js'
import { createLiveSource } from '../../src/activations/live-source.js'
import { createStoredSource } from '../../src/activations/stored-source.js'
import { openCorpus } from '../../src/corpus/corpus.js'
import { corpusConfigSchema } from '../../src/corpus/corpus-config.js'
import { runCorpusStage } from '../../src/corpus/corpus-stage.js'
import type { Communicator } from '../../src/distributed/communicator.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadTransformer } from '../../src/model/model-stage.js'
import { type Progress, silentProgress } from '../../src/progress/progress.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'

/** What one rank and several ranks both do, in `texts.test.ts`. */
export interface Work {
  kernels: Kernels
  ranks: Communicator
  /** directory of the run; what is made goes into `out` below it */
  root: string
  out: string
}

const hooks = ['blocks.0.mlp.hook_post', 'blocks.0.hook_resid_mid']

/** Shards of this many rows, about; the last one is shorter. */
export const shardTokens = 160

/** One corpus with a tokenizer of its own, and one with that of another. */
export async function buildCorpora({ root, out, ranks }: Work): Promise<void> {
  const trained = { text: [join(root, 'many', '*.jsonl')], vocabularySize: 300, tokenizerSampleMb: 0.05 }
  const named = { text: [join(root, '*.txt')], tokenizer: join(root, 'corpus') }
  for (const [name, config] of Object.entries({ corpus: trained, named }))
    await runCorpusStage(
      corpusConfigSchema.parse(config),
      { out: join(root, out, name) },
      { progress: silentProgress, ranks },
    )
}

/** A corpus that cannot be built. @returns the code of the error, and whether there is anything of it once all ranks have failed */
export async function failCorpus({ root, out, ranks }: Work): Promise<[string, boolean]> {
  const config = corpusConfigSchema.parse({ text: [join(root, 'bad.jsonl')] })
  const path = join(root, out, 'bad')
  const error = await runCorpusStage(config, { out: path }, { progress: silentProgress, ranks }).catch(
    (e) => e,
  )
  await ranks.barrier()
  return [error.code, existsSync(`${path}.partial`)]
}

export async function harvestBoth(work: Work): Promise<void> {
  for (const dtype of ['f32', 'bf16'] as const) await harvestOne(work, dtype)
}

export async function harvestOne(
  { kernels, root, out, ranks }: Work,
  dtype: 'f32' | 'bf16',
  progress: Progress = silentProgress,
): Promise<void> {
  const paths = {
    corpus: join(root, 'corpus'),
    model: join(root, 'model'),
    out: join(root, out, `activations-${dtype}`),
  }
  const config = harvestConfigSchema.parse({ hook: hooks, dtype, shardTokens, modelBatch: 3, tokens: 1999 })
  await runHarvestStage(config, paths, { progress, kernels, ranks })
}

/** SHA-256 of the first batches of sources of every kind. */
export async function digestBatches({ kernels, root, out, ranks }: Work): Promise<Record<string, string>> {
  const corpus = await openCorpus(join(root, 'corpus'))
  const model = await loadTransformer(kernels, join(root, 'model'))
  const [hookName, targetHookName] = hooks
  const live = (options: object): ActivationSource =>
    createLiveSource(kernels, model, corpus, {
      ...{ hookName, seed: 1, bufferTokens: 1000, dtype: 'f32', modelBatch: 2, ranks },
      ...options,
    })
  const store = await openActivations(join(root, out, 'activations-bf16'), ranks)
  const stored = createStoredSource(kernels, store, { hookName, seed: 1, bufferTokens: 300, dtype: 'f32' })
  return {
    autoencoder: await digest(kernels, live({}), 0),
    'bf16, skipped': await digest(kernels, live({ dtype: 'bf16' }), 33),
    // fewer passes than ranks
    'small blocks': await digest(kernels, live({ bufferTokens: 50, modelBatch: 4 }), 1),
    transcoder: await digest(kernels, live({ targetHookName }), 3),
    stored: await digest(kernels, stored, 5),
  }
}

async function digest(kernels: Kernels, source: ActivationSource, skip: number): Promise<string> {
  const hash = createHash('sha256')
  let batches = 0
  for await (const batch of source.batches({ batchSize: 20, skip })) {
    for (const tensor of 'x' in batch ? [batch.x, batch.y] : [batch])
      hash.update(await kernels.readF32(tensor))
    if (++batches === 60) break
  }
  return hash.digest('hex')
}

/** Harvests until rank 1 has a whole shard, which is the end of rank 1. */
export async function harvestUntilKilled(work: Work): Promise<void> {
  const checkpoint = join(work.root, work.out, 'activations-f32.partial', 'checkpoint-1.json')
  const update = (): void => {
    if (work.ranks.rank === 1 && existsSync(checkpoint)) process.kill(process.pid, 'SIGKILL')
  }
  await harvestOne(work, 'f32', { ...silentProgress, start: () => ({ update, end: () => {} }) })
}

/** Goes on with what was killed. @returns rows that were there at the start, and at the end, as this rank shows them */
export async function harvestRest(work: Work): Promise<{ first: number; last: number }> {
  const shown: number[] = []
  const update = (done: number): void => {
    shown.push(done)
  }
  await harvestOne(work, 'f32', { ...silentProgress, start: () => ({ update, end: () => {} }) })
  return { first: shown[0], last: shown.at(-1) as number }
}
