import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodedWindows } from '../src/eval/encoded-windows.js'
import { loadInputs } from '../src/eval/eval-stage.js'
import { sampleWindows } from '../src/eval/sample-windows.js'
import { buildFeatures } from '../src/features/build-features.js'
import { openFeatureStore } from '../src/features/feature-store.js'
import { featuresConfigSchema } from '../src/features/features-config.js'
import { loadKernels } from '../src/kernels/load.js'
import { silentProgress } from '../src/progress/progress.js'
import { writeSyntheticStore } from './features-synthetic.js'
import { machine } from './machine.js'

const pageFeatures = Number(process.env.MONOSEM_BENCH_FEATURES ?? 131_072)
const pages = 200

export interface FeaturesFigures {
  /** milliseconds for one feature's page */
  pageMedian: number
  page95: number
  /** seconds of a pass over the text of a run, and resident memory at its end; null without a run */
  build: BuildFigures | null
}

interface BuildFigures {
  tokens: number
  features: number
  bareSeconds: number
  buildSeconds: number
  /** [tokens, MiB] */
  memory: [number, number][]
}

/**
 * How long one feature's page takes in a store of 131,072 features, and how long the store of a run takes to build, against encoding the
 * same text with nothing done. MONOSEM_BENCH_FEATURES is another number of features, MONOSEM_BENCH_RUN names the directory of a finished demo, MONOSEM_BENCH_TOKENS its tokens (1,000,000).
 */
export async function benchFeatures(): Promise<FeaturesFigures> {
  console.log(`feature store, ${machine()}`)
  const directory = await mkdtemp(join(tmpdir(), 'monosem-bench-'))
  try {
    const page = await measurePages(join(directory, 'synthetic'))
    const run = process.env.MONOSEM_BENCH_RUN
    const build = run ? await measureBuild(run, directory) : null
    if (!run) console.log('MONOSEM_BENCH_RUN is not set: no run to build a store of')
    return { ...page, build }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function measurePages(directory: string): Promise<{ pageMedian: number; page95: number }> {
  const start = performance.now()
  await writeSyntheticStore(directory, pageFeatures)
  console.log(`synthetic store written in ${((performance.now() - start) / 1000).toFixed(0)} s`)
  const store = await openFeatureStore(directory)
  const times: number[] = []
  for (let i = 0; i < pages + 10; i++) {
    const begin = performance.now()
    await store.get((i * 7919 + 13) % pageFeatures)
    // the first few also load code
    if (i >= 10) times.push(performance.now() - begin)
  }
  store.close()
  times.sort((a, b) => a - b)
  const [pageMedian, page95] = [times[pages / 2], times[Math.floor(0.95 * pages)]]
  console.log(
    `a page among ${pageFeatures} features: median ${pageMedian.toFixed(1)} ms, 95% ${page95.toFixed(1)} ms   (target < 20 ms)`,
  )
  return { pageMedian, page95 }
}

async function measureBuild(run: string, directory: string): Promise<BuildFigures> {
  const threads = process.env.MONOSEM_THREADS ? Number(process.env.MONOSEM_THREADS) : undefined
  const kernels = await loadKernels({ threads })
  const paths = { corpus: join(run, 'corpus'), model: join(run, 'model'), sae: join(run, 'sae') }
  const { model, sae, corpus } = await loadInputs(paths, kernels)
  const inputs = { model, sae, split: corpus.train, startOfText: corpus.tokenizer.startOfText }
  const tokens = Number(process.env.MONOSEM_BENCH_TOKENS ?? 1_000_000)
  const windows = sampleWindows(inputs.split, model.config.context, tokens)
  const memory: [number, number][] = []
  const buildOf = async (count: number): Promise<number> => {
    const config = featuresConfigSchema.parse({ tokens: count })
    const start = performance.now()
    await buildFeatures(config, inputs, directory, { progress: silentProgress })
    memory.push([count, process.memoryUsage.rss() / 2 ** 20])
    return (performance.now() - start) / 1000
  }
  await buildOf(Math.round(tokens / 4))
  const start = performance.now()
  for await (const _ of encodedWindows({ ...inputs, windows, batchWindows: 16 }));
  const bareSeconds = (performance.now() - start) / 1000
  const buildSeconds = await buildOf(tokens)
  const { size } = await stat(join(directory, 'examples-0000.parquet'))
  console.log(`${kernels.description}; ${tokens} tokens, ${sae.features} features`)
  console.log(`encoding alone   ${bareSeconds.toFixed(1)} s`)
  console.log(
    `the whole store  ${buildSeconds.toFixed(1)} s, ${(buildSeconds / bareSeconds).toFixed(2)} times   (targets < 60 s on 4 cores, <= 3 times)`,
  )
  for (const [count, mebibytes] of memory)
    console.log(`resident memory after ${count} tokens: ${mebibytes.toFixed(0)} MiB`)
  console.log(`first file of examples: ${(size / 2 ** 20).toFixed(1)} MiB`)
  return { tokens, features: sae.features, bareSeconds, buildSeconds, memory }
}
