import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createActivationPass } from '../src/activations/activation-pass.js'
import { type ActivationStore, openActivations } from '../src/activations/activation-store.js'
import { harvest } from '../src/activations/harvest.js'
import { type HarvestConfig, harvestConfigSchema } from '../src/activations/harvest-config.js'
import { createRowLayout } from '../src/activations/row-layout.js'
import { shardTensors } from '../src/activations/store-info.js'
import { createStoredSource } from '../src/activations/stored-source.js'
import type { TokenSplit } from '../src/corpus/corpus.js'
import type { Kernels } from '../src/kernels/kernels.js'
import { loadKernels } from '../src/kernels/load.js'
import { createTransformer, freeTransformer, type Transformer } from '../src/model/transformer.js'
import { silentProgress } from '../src/progress/progress.js'
import { Random } from '../src/random/random.js'
import { runStage } from '../src/storage/stage.js'
import { machine } from './machine.js'
import { measureSaeCase } from './sae-case.js'

interface HarvestCase {
  name: string
  hookName: string
  /** width of the hook point */
  width: number
  sizes: Parameters<typeof createTransformer>[1]
  tokens: number
  modelBatch: number
}

const small = { layers: 1, dModel: 128, heads: 4, dMlp: 512, context: 128, vocabularySize: 4096 }
const gpt2 = { layers: 12, dModel: 768, heads: 12, dMlp: 3072, context: 128, vocabularySize: 50257 }

/** The demo's model writes the most for what it computes; GPT-2 small is what people harvest. */
const cases: HarvestCase[] = [
  {
    ...{ name: "the demo's model", hookName: 'blocks.0.mlp.hook_post', width: 512 },
    sizes: small,
    tokens: 400_000,
    modelBatch: 32,
  },
  {
    ...{ name: 'GPT-2 small, random', hookName: 'blocks.5.hook_resid_post', width: 768 },
    sizes: gpt2,
    tokens: 16_000,
    modelBatch: 8,
  },
]

const ROUNDS = 3

export interface HarvestFigures {
  name: string
  /** activations per second: forward passes alone, and while they are stored */
  forward: number
  f32: number
  bf16: number
  /** bytes per second: stored while harvesting, and by writing to the same disk with nothing else to do */
  f32Bytes: number
  bf16Bytes: number
  plainWriteBytes: number
  /** rows per second: the stored source, its files read from end to end, and training on them */
  storedSource: number
  plainRead: number
  saeTraining: number
}

/**
 * Harvesting beside forward passes that keep nothing, and the stored source beside plain reading and beside what training takes. Runs take
 * turns; the figure is the best round of each. MONOSEM_BENCH_DIR is the disk (default: the system's temporary directory).
 */
export async function benchHarvest(): Promise<HarvestFigures[]> {
  const kernels = await loadKernels({
    ...(process.env.MONOSEM_THREADS && { threads: Number(process.env.MONOSEM_THREADS) }),
  })
  const figures: HarvestFigures[] = []
  console.log(`harvest, ${kernels.description}, ${machine()}`)
  const directory = await mkdtemp(join(process.env.MONOSEM_BENCH_DIR ?? tmpdir(), 'monosem-bench-'))
  try {
    for (const given of cases) figures.push(await measureCase(kernels, given, directory))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  return figures
}

async function measureCase(kernels: Kernels, given: HarvestCase, directory: string): Promise<HarvestFigures> {
  const { name, hookName, width, tokens, sizes, modelBatch } = given
  const model = createTransformer(kernels, sizes, 0)
  const split = randomText(tokens, sizes.vocabularySize)
  const config = (dtype: 'f32' | 'bf16') =>
    harvestConfigSchema.parse({
      hook: [hookName],
      tokens: Math.floor(0.95 * tokens),
      dtype,
      modelBatch,
      shardMb: 64,
    })
  const best = { forward: 0, f32: 0, bf16: 0, write: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const rows = config('f32').tokens as number
    best.forward = Math.max(best.forward, rows / (await forwardSeconds(model, split, config('f32'))))
    for (const dtype of ['f32', 'bf16'] as const) {
      const seconds = await harvestSeconds(model, split, config(dtype), join(directory, dtype))
      best[dtype] = Math.max(best[dtype], rows / seconds)
    }
    best.write = Math.max(best.write, await plainWriteRate(join(directory, 'plain'), rows * width * 4))
  }
  freeTransformer(model)
  const store = await openActivations(join(directory, 'f32'))
  const figures: HarvestFigures = {
    name,
    ...{ forward: best.forward, f32: best.f32, bf16: best.bf16 },
    ...{ f32Bytes: best.f32 * width * 4, bf16Bytes: best.bf16 * width * 2, plainWriteBytes: best.write },
    storedSource: await storedSourceRate(kernels, store, hookName),
    plainRead: await plainReadRate(store, hookName),
    saeTraining: await saeTrainingRate(kernels, width),
  }
  await rm(join(directory, 'f32'), { recursive: true })
  await rm(join(directory, 'bf16'), { recursive: true })
  print(figures)
  return figures
}

/** Documents of 200 random tokens. */
function randomText(length: number, vocabularySize: number): TokenSplit {
  const random = Random.named(0, 'bench text')
  const tokens = new Uint16Array(length + 1)
  const starts: number[] = []
  for (let i = 0; i < tokens.length; i++) {
    if (i % 200 === 0) starts.push(i)
    else tokens[i] = 1 + random.int(vocabularySize - 1)
  }
  const documentStarts = Int32Array.from(starts)
  return {
    name: 'train',
    tokens,
    documentStarts,
    documentIds: documentStarts.map((_, i) => i),
    bytes: length,
  }
}

/** The same passes as those of a harvest, whose results stay where they are. */
async function forwardSeconds(model: Transformer, split: TokenSplit, config: HarvestConfig): Promise<number> {
  const { modelBatch, hook, tokens = 0 } = config
  const layout = createRowLayout(split, model.config.context, 0, config.seed)
  const pass = createActivationPass(model, split, { hookNames: hook, layout, modelBatch })
  const windows = layout.windowOrder(0)
  await model.kernels.finish()
  const start = performance.now()
  for (let [at, rows] = [0, 0]; rows < tokens; at += modelBatch) {
    rows += pass.run(windows.subarray(at, at + modelBatch)).length
    if (at % (8 * modelBatch) === 0) await model.kernels.finish()
  }
  await model.kernels.finish()
  const seconds = (performance.now() - start) / 1000
  pass.free()
  return seconds
}

/** A harvest as the command runs it, hashes and syncing included. */
async function harvestSeconds(
  model: Transformer,
  split: TokenSplit,
  config: HarvestConfig,
  out: string,
): Promise<number> {
  await rm(out, { recursive: true, force: true })
  const inputs = { model, modelName: 'bench', split, startOfText: 0 }
  const start = performance.now()
  await runStage({ stage: 'activations', out, config: {}, inputs: {} }, (partial, hashed) =>
    harvest(config, inputs, partial, hashed, { progress: silentProgress }),
  )
  return (performance.now() - start) / 1000
}

/** Bytes per second to the disk, synced at the end. */
async function plainWriteRate(path: string, bytes: number): Promise<number> {
  const piece = new Uint8Array(8 * 2 ** 20)
  const start = performance.now()
  const file = await open(path, 'w')
  for (let done = 0; done < bytes; done += piece.length)
    await file.write(piece, 0, Math.min(piece.length, bytes - done))
  await file.sync()
  await file.close()
  const seconds = (performance.now() - start) / 1000
  await rm(path)
  return bytes / seconds
}

/** Rows per second of three epochs after the one in which hashes are checked. */
async function storedSourceRate(kernels: Kernels, store: ActivationStore, hookName: string): Promise<number> {
  const batchSize = 2048
  const options = {
    hookName,
    seed: 0,
    bufferTokens: Math.min(262_144, store.info.rows),
    dtype: 'bf16' as const,
  }
  const perEpoch = Math.floor(store.info.rows / batchSize)
  let [batches, start] = [0, 0]
  for await (const _ of createStoredSource(kernels, store, options).batches({ batchSize, skip: 0 })) {
    batches++
    // as a trainer does, so that the queue stays short
    await kernels.finish()
    if (batches === perEpoch) start = performance.now()
    if (batches === 4 * perEpoch) break
  }
  return (3 * perEpoch * batchSize * 1000) / (performance.now() - start)
}

async function plainReadRate(store: ActivationStore, hookName: string): Promise<number> {
  const start = performance.now()
  for (const [shard, rows] of store.info.shardRows.entries()) {
    const reader = await store.openShard(hookName, shard)
    for (let at = 0; at < rows; at += 4096)
      await reader.readRows(shardTensors.activations, at, Math.min(4096, rows - at))
    await reader.close()
  }
  return (store.info.rows * 1000) / (performance.now() - start)
}

async function saeTrainingRate(kernels: Kernels, d: number): Promise<number> {
  const shape = { b: 2048, d, f: 4096, k: 32 }
  const given = {
    architecture: 'topk' as const,
    precision: 'bf16' as const,
    shape,
    density: 0,
    threads: kernels.threads,
  }
  return (shape.b * 1000) / (await measureSaeCase(given)).ms
}

function print(figures: HarvestFigures): void {
  const { name, forward, f32, bf16, f32Bytes, bf16Bytes, plainWriteBytes } = figures
  const count = (value: number): string => Math.round(value).toLocaleString('en-US').padStart(9)
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0).padStart(6)} MB/s`
  console.log(name)
  console.log(`  forward passes alone  ${count(forward)} tokens/s`)
  for (const [dtype, rate, bytes] of [
    ['f32', f32, f32Bytes],
    ['bf16', bf16, bf16Bytes],
  ] as const)
    console.log(
      `  harvest ${dtype.padEnd(5)}         ${count(rate)} tokens/s, ${(rate / forward).toFixed(2)} of it, ${megabytes(bytes)}   (target >= 0.85)`,
    )
  console.log(`  plain write, synced              ${megabytes(plainWriteBytes)}`)
  console.log(`  stored source         ${count(figures.storedSource)} rows/s`)
  console.log(`  plain read            ${count(figures.plainRead)} rows/s`)
  console.log(`  training, top-k 4096  ${count(figures.saeTraining)} rows/s`)
}
