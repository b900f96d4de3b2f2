import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { sentBytes, stepExchanges } from '../src/scaling/step-exchanges.js'
import { formatBytes } from '../src/storage/free-space.js'
import { percent } from '../src/terminal/figures.js'
import { renderTable } from '../src/terminal/table.js'
import { machine } from './machine.js'
import type { RanksCase, RanksCaseResult } from './ranks-case.js'

/** One line: a mesh, and what one process with as many threads does in the same time. */
export interface RanksBenchResult extends RanksCaseResult {
  featureRanks: number
  dataRanks: number
  threads: number
  samplesPerSecond: number
  predictedBytes: number
  /** throughput over that of one process with as many threads as all ranks together */
  ratio: number | null
}

const CASE = fileURLToPath(new URL('./ranks-case.js', import.meta.url))
const ADDON = fileURLToPath(new URL('../../build/Release/monosem_mpi.node', import.meta.url))
const shape = { b: 4096, d: 512, f: 16_384, k: 32 }
const precision = 'bf16'
const meshes = [
  { featureRanks: 2, dataRanks: 1 },
  { featureRanks: 1, dataRanks: 2 },
  { featureRanks: 4, dataRanks: 1 },
  { featureRanks: 2, dataRanks: 2 },
  { featureRanks: 1, dataRanks: 4 },
]
// Ranks are as many as threads of one process: more than there are cores only share them, on either side.
const flags = ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none']

/**
 * The training step on several ranks with a thread each, beside one process with as many threads, in turns (`npm run bench -- ranks`). With more
 * ranks than the machine has cores both sides share the cores.
 */
export async function benchRanks(): Promise<RanksBenchResult[]> {
  const quiet = process.argv.includes('--json')
  const missing = whatIsMissing()
  if (missing) {
    console.error(`\n*** ranks: ${missing}: SKIPPED ***\n`)
    return []
  }
  const results: RanksBenchResult[] = []
  for (const mesh of meshes) {
    const ranks = mesh.featureRanks * mesh.dataRanks
    const alone = line({ featureRanks: 1, dataRanks: 1 }, ranks, null)
    results.push(alone, line(mesh, 1, alone.samplesPerSecond))
  }
  if (!quiet) print(results)
  return results
}

function whatIsMissing(): string | null {
  if (spawnSync('mpirun', ['--version']).error) return 'mpirun was not found'
  return existsSync(ADDON) ? null : 'the MPI addon is not compiled (npm run build:mpi)'
}

function line(
  mesh: { featureRanks: number; dataRanks: number },
  threads: number,
  alone: number | null,
): RanksBenchResult {
  const given: RanksCase = {
    ...{ architecture: 'topk', precision, shape, gradients: 'f32', steps: 6 },
    ...{ ...mesh, threads },
  }
  const measured = run(given)
  const samplesPerSecond = (shape.b * 1000) / measured.ms
  const { b: batchSize, d, f: features, k } = shape
  const common = { architecture: 'topk', gradients: 'f32', precision } as const
  const step = { ...mesh, ...common, batchSize, d, features, k }
  const predictedBytes = sentBytes(stepExchanges(step)).total
  const ratio = alone && samplesPerSecond / alone
  return { ...measured, ...mesh, threads, samplesPerSecond, predictedBytes, ratio }
}

function run(given: RanksCase): RanksCaseResult {
  const ranks = given.featureRanks * given.dataRanks
  const program = [process.execPath, CASE, JSON.stringify(given)]
  const command = ranks > 1 ? ['mpirun', ...flags, '-n', String(ranks), ...program] : program
  const { status, stdout } = spawnSync(command[0], command.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    // a rank that waits leaves its core to others where there are more ranks than cores
    env: { ...process.env, ...(ranks > availableParallelism() && { OMPI_MCA_mpi_yield_when_idle: '1' }) },
  })
  if (status !== 0) throw new Error(`${command.join(' ')} ended with status ${status}`)
  return JSON.parse(stdout) as RanksCaseResult
}

function print(results: readonly RanksBenchResult[]): void {
  const { b, d, f, k } = shape
  console.log(
    `topk, one step at ${b}, ${d}, ${f}, ${k} (B, D, F, K), ${precision}, on several ranks; ${machine()}`,
  )
  const columns = [
    ...['ranks', 'features x data', 'threads each', 'ms', 'samples/s', 'of as many threads'],
    ...['bytes a step', 'predicted', 'off by', 'in exchanges'],
  ]
  const rows = results.map((result) => {
    const ranks = result.featureRanks * result.dataRanks
    const off = result.bytesPerStep === 0 ? null : result.predictedBytes / result.bytesPerStep - 1
    return [
      String(ranks),
      `${result.featureRanks} x ${result.dataRanks}`,
      String(result.threads),
      result.ms.toFixed(0),
      result.samplesPerSecond.toFixed(0),
      percent(result.ratio, 0),
      formatBytes(result.bytesPerStep),
      formatBytes(result.predictedBytes),
      percent(off),
      percent(result.exchangeShare),
    ]
  })
  console.log(
    renderTable(
      columns.map((heading) => ({ heading })),
      rows,
    ),
  )
}
