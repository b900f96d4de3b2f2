import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Kernels, Tensor } from '../src/kernels/kernels.js'
import { createNativeKernels } from '../src/kernels/native.js'
import { createFeatureModel } from '../src/synthetic/feature-model.js'
import { createSampler, type Sampler } from '../src/synthetic/sampler.js'
import { machine } from './machine.js'
import { measureSaeCase, type SaeCase } from './sae-case.js'

/** One batch size, and what `--json` prints an array of. Times are of the fastest round, milliseconds of a batch. */
export interface SyntheticBenchResult {
  batch: number
  generateMs: number
  /** one training step, batchtopk, on a batch that is there already */
  stepMs: number
  /** generating a batch and training on it */
  bothMs: number
  generatedPerSecond: number
  trainedPerSecond: number
  /** generatedPerSecond / trainedPerSecond */
  ratio: number
  /** the same batch in PyTorch, dense; null where no Python is given */
  pytorchMs: number | null
}

const D = 768
const F = 4096
const K = 25
const ROUNDS = 10
// This file runs from dist/bench.
const PEER = fileURLToPath(new URL('../../bench/peers/synthetic_batch.py', import.meta.url))

/**
 * SynthSAEBench-16k: how fast its samples are drawn, beside how fast an autoencoder of 4,096 features trains on them (bf16 by default; `--precision P`),
 * in one process and in turns. MONOSEM_PYTHON names a Python with torch for the comparison.
 */
export async function benchSynthetic(): Promise<SyntheticBenchResult[]> {
  const quiet = process.argv.includes('--json')
  const at = process.argv.indexOf('--precision')
  const precision = (at < 0 ? 'bf16' : process.argv[at + 1]) as SaeCase['precision']
  const threads = availableParallelism()
  const kernels = createNativeKernels({ threads })
  const began = performance.now()
  const model = await createFeatureModel(kernels)
  const seconds = (performance.now() - began) / 1000
  const sampler = createSampler(kernels, model)
  if (!quiet)
    console.log(
      `SynthSAEBench-16k, ${model.features} features in ${D} dimensions, batchtopk F ${F} K ${K} ${precision}, ${threads} threads, ` +
        `${machine()}\nthe world was made in ${seconds.toFixed(1)} s\n${HEADER}`,
    )
  const results: SyntheticBenchResult[] = []
  for (const batch of [1024, 4096]) {
    const result = await measure(kernels, sampler, { batch, precision, threads })
    results.push(result)
    if (!quiet) console.log(line(result))
  }
  return results
}

async function measure(
  kernels: Kernels,
  sampler: Sampler,
  { batch, precision, threads }: { batch: number; precision: SaeCase['precision']; threads: number },
): Promise<SyntheticBenchResult> {
  let offset = 0
  const feed = (x: Tensor): void => {
    sampler.fill(x, { seed: 1, offset })
    offset += batch
  }
  const shape = { b: batch, d: D, f: F, k: K }
  const given: SaeCase = { architecture: 'batchtopk', precision, shape, density: 0, threads }
  const x = kernels.zeros([batch, D])
  const generateMs = await fastestFill(kernels, () => feed(x))
  const { ms: stepMs } = await measureSaeCase(given, { kernels, steps: ROUNDS, first: feed })
  const { ms: bothMs } = await measureSaeCase(given, { kernels, steps: ROUNDS, first: feed, each: feed })
  kernels.free(x)
  const generatedPerSecond = (batch * 1000) / generateMs
  const trainedPerSecond = (batch * 1000) / stepMs
  return {
    ...{ batch, generateMs, stepMs, bothMs, generatedPerSecond, trainedPerSecond },
    ...{ ratio: generatedPerSecond / trainedPerSecond, pytorchMs: peerMs(batch, threads) },
  }
}

async function fastestFill(kernels: Kernels, fill: () => void): Promise<number> {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    fill()
    await kernels.finish()
    best = Math.min(best, performance.now() - start)
  }
  return best
}

function peerMs(batch: number, threads: number): number | null {
  const [python] = (process.env.MONOSEM_PYTHON ?? '').split(':')
  if (!python) return null
  const { status, stdout } = spawnSync(python, [PEER, '--b', String(batch), '--threads', String(threads)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`${python} ${PEER} ended with status ${status}`)
  return (JSON.parse(stdout) as { ms: number }).ms
}

const HEADER = 'batch  generate ms  step ms  both ms  generated/s  trained/s  ratio  PyTorch ms'

function line(r: SyntheticBenchResult): string {
  const number = (value: number, width: number, digits = 0) => value.toFixed(digits).padStart(width)
  return [
    ...[number(r.batch, 5), number(r.generateMs, 12, 1), number(r.stepMs, 8, 1), number(r.bothMs, 8, 1)],
    ...[number(r.generatedPerSecond, 12), number(r.trainedPerSecond, 10), number(r.ratio, 6, 1)],
    r.pytorchMs === null ? '' : number(r.pytorchMs, 11),
  ].join(' ')
}
