import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { SaePrecision } from '../src/kernels/kernels.js'
import { fractionOfPeak } from '../src/sae/fraction-of-peak.js'
import { machine } from './machine.js'
import { ARCHITECTURES, type ArchitectureName, type SaeCase, type SaeCaseResult } from './sae-case.js'

/** One line of the benchmark, and what `--json` prints an array of. */
export interface SaeBenchResult {
  architecture: string
  precision: SaePrecision
  shape: { b: number; d: number; f: number; k: number }
  /** of the fastest step, from JavaScript */
  ms: number
  samplesPerSecond: number
  /** time that encoding alone needs at this machine's peak (fp32; bf16, also as what fp32 begins with, twice, int8 four times that), as a share of `ms` */
  fractionOfPeak: number
  /** resident memory above Node's own, MiB */
  rssMiB: number
  /** the same step in dense PyTorch, the faster of the builds given; null where none is */
  pytorchMs: number | null
  ratio: number | null
}

const SHAPES = [
  [4096, 512, 8192, 32],
  [4096, 512, 16384, 32],
  [4096, 768, 24576, 32],
  [4096, 768, 4096, 25],
] as const
const CASE = fileURLToPath(new URL('./sae-case.js', import.meta.url))
// This file runs from dist/bench.
const PEER = fileURLToPath(new URL('../../bench/peers/dense_step.py', import.meta.url))

/**
 * One training step of every architecture at every shape, each in a process of its own, beside the same step in dense PyTorch when
 * MONOSEM_PYTHON names one or more Pythons with torch (separated by ':'; the fastest counts). topk is measured in every precision, the
 * others in the one that `--precision auto` takes. `--shape b,d,f,k`, `--architecture NAME`, `--precision P` and `--density P` (for
 * architectures without k; default 0.01) narrow it down.
 */
export async function benchSae(): Promise<SaeBenchResult[]> {
  const { values } = parseArgs({
    allowPositionals: true,
    strict: false,
    options: {
      shape: { type: 'string' },
      architecture: { type: 'string' },
      precision: { type: 'string' },
      density: { type: 'string', default: '0.01' },
    },
  })
  const shapes = values.shape ? [String(values.shape).split(',').map(Number)] : SHAPES
  const names = values.architecture
    ? [values.architecture as ArchitectureName]
    : (Object.keys(ARCHITECTURES) as ArchitectureName[])
  const density = Number(values.density)
  const threads = availableParallelism()
  const quiet = process.argv.includes('--json')
  if (!quiet) console.log(`sparse autoencoders, one step, ${threads} threads, ${machine()}\n${HEADER}`)
  const results: SaeBenchResult[] = []
  for (const [b, d, f, k] of shapes)
    for (const architecture of names) {
      const shape = { b, d, f, k } as SaeCase['shape']
      const pytorchMs = fastestPeer({ architecture, shape, density, threads })
      for (const precision of precisionsFor(architecture, values.precision)) {
        const measured = runCase({ architecture, precision, shape, density, threads })
        const result = summary(architecture, shape, measured, pytorchMs)
        results.push(result)
        if (!quiet) console.log(line(result, measured))
      }
    }
  return results
}

function precisionsFor(architecture: string, wanted: unknown): SaePrecision[] {
  if (typeof wanted === 'string') return [wanted as SaePrecision]
  return architecture === 'topk' ? ['fp32', 'bf16', 'int8'] : ['fp32']
}

function summary(
  architecture: string,
  shape: SaeCase['shape'],
  { ms, precision, scanned, peak, rssMiB }: SaeCaseResult,
  pytorchMs: number | null,
): SaeBenchResult {
  const fraction = fractionOfPeak({ n: shape.b, d: shape.d, f: shape.f }, { ms, precision: scanned, peak })
  return {
    ...{ architecture, precision, shape, ms, samplesPerSecond: (shape.b * 1000) / ms },
    ...{ fractionOfPeak: fraction, rssMiB, pytorchMs, ratio: pytorchMs === null ? null : pytorchMs / ms },
  }
}

function runCase(given: SaeCase): SaeCaseResult {
  const { status, stdout } = spawnSync(process.execPath, ['--expose-gc', CASE, JSON.stringify(given)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`${given.architecture} ended with status ${status}`)
  return JSON.parse(stdout) as SaeCaseResult
}

function fastestPeer({ architecture, shape, density, threads }: Omit<SaeCase, 'precision'>): number | null {
  const pythons = (process.env.MONOSEM_PYTHON ?? '').split(':').filter((python) => python !== '')
  const times = pythons.map((python) => {
    const { b, d, f, k } = shape
    const numbers = { architecture, b, d, f, k, density, threads, steps: 3 }
    const options = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)])
    const { status, stdout } = spawnSync(python, [PEER, ...options], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, OMP_NUM_THREADS: String(threads) },
    })
    if (status !== 0) throw new Error(`${python} ${PEER} ${options.join(' ')} ended with status ${status}`)
    return (JSON.parse(stdout) as { ms: number }).ms
  })
  return times.length > 0 ? Math.min(...times) : null
}

const HEADER =
  'architecture   precision  b,d,f,k               ms  encode decode update      L0  samples/s   peak  MiB   PyTorch ms  ratio'

function line(r: SaeBenchResult, c: SaeCaseResult): string {
  const { b, d, f, k } = r.shape
  const number = (value: number, width: number, digits = 0) => value.toFixed(digits).padStart(width)
  return [
    r.architecture.padEnd(14),
    r.precision.padEnd(10),
    `${b},${d},${f},${k}`.padEnd(18),
    ...[number(r.ms, 6), number(c.encodeMs, 7), number(c.decodeMs, 6), number(c.updateMs, 6)],
    ...[number(c.l0, 7, 1), number(r.samplesPerSecond, 10), `${number(100 * r.fractionOfPeak, 5)}%`],
    number(r.rssMiB, 4),
    r.pytorchMs === null ? '' : number(r.pytorchMs, 12),
    r.ratio === null ? '' : number(r.ratio, 6, 1),
  ].join(' ')
}
