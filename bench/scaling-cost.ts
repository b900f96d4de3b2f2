import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createNativeKernels } from '../src/kernels/native.js'
import { formatSeconds } from '../src/progress/rate.js'
import { saeConfigSchema } from '../src/sae/sae-config.js'
import { probeSteps, stepSeconds } from '../src/scaling/step-probe.js'
import { trainingMemory } from '../src/scaling/training-cost.js'
import { formatBytes } from '../src/storage/free-space.js'
import { renderTable } from '../src/terminal/table.js'
import { machine } from './machine.js'
import type { CostCase, MeasuredTraining } from './scaling-cost-case.js'

/** One line: what was predicted before a training, and what it needed. */
export interface CostBenchResult {
  architecture: string
  features: number
  steps: number
  predictedSeconds: number
  seconds: number
  predictedMemory: number
  memory: number
}

const CASE = fileURLToPath(new URL('./scaling-cost-case.js', import.meta.url))
const shape = { d: 512, k: 32, batchSize: 2048, steps: 40 }
const cases = [
  { architecture: 'topk', features: 4096 },
  { architecture: 'topk', features: 16_384 },
  { architecture: 'batchtopk', features: 8192 },
  { architecture: 'matryoshka', features: 8192 },
] as const

/**
 * The cost model against real trainings (`npm run bench -- scaling-cost`): time predicted from steps at 1/8, 1/4 and 1/2 of the size, memory from
 * the shapes; then the `sae` stage runs, in a process of its own.
 */
export async function benchScalingCost(): Promise<CostBenchResult[]> {
  const threads = availableParallelism()
  const results: CostBenchResult[] = []
  for (const { architecture, features } of cases) results.push(await compare(architecture, features, threads))
  if (!process.argv.includes('--json')) print(results)
  return results
}

async function compare(
  architecture: CostCase['architecture'],
  features: number,
  threads: number,
): Promise<CostBenchResult> {
  const { d, k, batchSize, steps } = shape
  const time = await probeSteps(createNativeKernels({ threads }), {
    config: saeConfigSchema.parse({ architecture, batchSize }),
    ...{ d, active: k },
    sizes: [features / 8, features / 4, features / 2],
  })
  const prefixes = architecture === 'matryoshka' ? 5 : 1
  const { total, checkpoint } = trainingMemory({
    ...{ d, features, active: k, batchSize, prefixes, precision: time.precision },
    // the source of this benchmark keeps no buffer
    ...{ bufferTokens: 0, bufferBytes: 2 },
  })
  const measured = run({ architecture, features, threads, ...shape })
  return {
    ...{ architecture, features, steps },
    predictedSeconds: steps * stepSeconds(time, features),
    seconds: measured.seconds,
    predictedMemory: total + checkpoint,
    memory: measured.memory,
  }
}

function run(given: CostCase): MeasuredTraining {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CASE, JSON.stringify(given)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as MeasuredTraining
}

const error = (predicted: number, measured: number): string =>
  `${predicted >= measured ? '+' : '−'}${Math.abs(100 * (predicted / measured - 1)).toFixed(0)}%`

function print(results: readonly CostBenchResult[]): void {
  const headings = [
    'architecture',
    'features',
    'predicted',
    'took',
    'error',
    'predicted',
    'peak memory',
    'error',
  ]
  const rows = results.map((r) => [
    ...[r.architecture, String(r.features)],
    ...[formatSeconds(r.predictedSeconds), formatSeconds(r.seconds), error(r.predictedSeconds, r.seconds)],
    ...[formatBytes(r.predictedMemory), formatBytes(r.memory), error(r.predictedMemory, r.memory)],
  ])
  const { d, k, batchSize, steps } = shape
  console.log(`${machine()}\nD = ${d}, K = ${k}, ${steps} steps of ${batchSize} tokens`)
  console.log(
    renderTable(
      headings.map((heading) => ({ heading })),
      rows,
    ),
  )
}
