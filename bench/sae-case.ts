import type {
  Kernels,
  SaeActivation,
  SaePrecision,
  SaeSparsity,
  SaeStepOptions,
  SaeStepStats,
  SaeTensors,
  SaeTraining,
  Tensor,
} from '../src/kernels/kernels.js'
import { createNativeKernels } from '../src/kernels/native.js'
import { SAE_RUNNING } from '../src/kernels/sae-kernels.js'
import { Random } from '../src/random/random.js'
import { upperQuantile } from '../src/sae/architectures/common.js'

/** One measurement: an architecture at a shape in a precision. */
export interface SaeCase {
  architecture: ArchitectureName
  precision: SaePrecision
  shape: { b: number; d: number; f: number; k: number }
  /** share of active features, for architectures without k */
  density: number
  threads: number
}

export interface SaeCaseResult {
  /** of the fastest step, from JavaScript's call to its result */
  ms: number
  /** phases of that step */
  encodeMs: number
  decodeMs: number
  updateMs: number
  l0: number
  /** granted */
  precision: SaePrecision
  /** number format of the products that look for active features; bf16 for fp32 where that comes first */
  scanned: SaePrecision
  /** fp32 multiply-adds on data in L1, all threads, operations per second, measured in the same process */
  peak: number
  /** most resident memory of the process while it trained, less what Node had before, MiB */
  rssMiB: number
}

export type ArchitectureName = keyof typeof ARCHITECTURES

/** How an architecture differs at the boundary; hyper-parameters do not change the time of a step. */
interface Architecture {
  activation: (k: number) => SaeActivation
  sparsity: SaeSparsity
  subtract: boolean
  clip?: number
  prefixes?: boolean
}

const top = { sparsity: { kind: 'none' }, subtract: true } as const
const L1 = { kind: 'l1', coefficient: 1e-3, byDecoderNorm: false } as const

export const ARCHITECTURES = {
  topk: { ...top, activation: (k) => ({ kind: 'topk', k }) },
  batchtopk: { ...top, activation: (k) => ({ kind: 'batchtopk', k }) },
  matryoshka: { ...top, activation: (k) => ({ kind: 'batchtopk', k }), prefixes: true },
  relu: { activation: () => ({ kind: 'relu' }), sparsity: L1, subtract: true },
  'relu-norm': {
    activation: () => ({ kind: 'relu' }),
    sparsity: { ...L1, byDecoderNorm: true },
    subtract: false,
    clip: 1,
  },
  gated: { activation: () => ({ kind: 'gated' }), sparsity: L1, subtract: true },
  jumprelu: {
    activation: () => ({ kind: 'jumprelu' }),
    sparsity: { kind: 'l0', coefficient: 1e-3, bandwidth: 0.05 },
    subtract: false,
  },
  'jumprelu-tanh': {
    activation: () => ({ kind: 'jumprelu', logThreshold: true }),
    sparsity: { kind: 'tanh', coefficient: 1e-3, scale: 4, bandwidth: 0.1, preAct: 3e-6 },
    subtract: false,
    clip: 1,
  },
} satisfies Record<string, Architecture> as Record<
  'topk' | 'batchtopk' | 'matryoshka' | 'relu' | 'relu-norm' | 'gated' | 'jumprelu' | 'jumprelu-tanh',
  Architecture
>

const STEPS = 7

/** Where batches come from, instead of normal data, and how long. */
interface Feed {
  kernels?: Kernels
  steps?: number
  /** fills the batch once */
  first?: (x: Tensor) => void
  /** fills it again before each step, within the time of the step */
  each?: (x: Tensor) => void
}

/** Times training steps on normal data (or `feed`), in this process. */
export async function measureSaeCase(given: SaeCase, feed: Feed = {}): Promise<SaeCaseResult> {
  const kernels = feed.kernels ?? createNativeKernels({ threads: given.threads })
  const peak = await kernels.measurePeak()
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const training = await startTraining(kernels, given)
  const random = Random.named(0, 'bench data')
  const { b, d } = given.shape
  const x = kernels.tensor(
    Float32Array.from({ length: b * d }, () => random.normal()),
    [b, d],
  )
  feed.first?.(x)
  let best = { ms: Infinity } as SaeStepStats & { ms: number }
  let rss = 0
  for (let step = 1; step <= (feed.steps ?? STEPS); step++) {
    const start = performance.now()
    feed.each?.(x)
    const stats = await kernels.saeStep(training, x, x, stepOptions(given, step))
    const ms = performance.now() - start
    rss = Math.max(rss, process.memoryUsage().rss)
    if (step > 2 && ms < best.ms) best = { ...stats, ms }
  }
  const { ms, encodeMs, decodeMs, updateMs, l0, precision, scanned } = best
  return { ms, encodeMs, decodeMs, updateMs, l0, precision, scanned, peak, rssMiB: (rss - before) / 2 ** 20 }
}

/** Options of one step of a case. */
export function stepOptions(
  { architecture, shape }: Pick<SaeCase, 'architecture' | 'shape'>,
  step: number,
): SaeStepOptions {
  const { activation, sparsity, subtract, clip, prefixes } = ARCHITECTURES[architecture]
  const { f, k } = shape
  return {
    form: { activation: activation(k), subtractDecoderBias: subtract },
    sparsity,
    // slow enough that the density stays where it was put
    adam: { learningRate: 1e-6, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, step },
    unitNormDecoder: clip === undefined,
    ...(clip === undefined ? {} : { gradientClip: clip }),
    ...(prefixes ? { prefixes: [f / 16, f / 8, f / 4, f / 2, f] } : {}),
  }
}

/**
 * Unit rows in random directions, W_enc = W_dec, and biases or thresholds at which the wanted share of features is active.
 * @param seed of the directions
 */
export async function startTraining(kernels: Kernels, given: SaeCase, seed = 0): Promise<SaeTraining> {
  const { architecture, precision, shape, density } = given
  const { d, f } = shape
  const { activation, sparsity } = ARCHITECTURES[architecture]
  const { kind } = activation(1)
  const quantile = upperQuantile(density)
  const zeros = (): SaeTensors => ({
    wEnc: kernels.zeros([f, d]),
    bEnc: kernels.zeros([f]),
    wDec: kernels.zeros([f, d]),
    bDec: kernels.zeros([d]),
    ...(kind === 'jumprelu' ? { threshold: kernels.zeros([f]) } : {}),
    ...(kind === 'gated' ? { rMag: kernels.zeros([f]), bMag: kernels.zeros([f]) } : {}),
  })
  const params = zeros()
  fillRows(kernels, params, [f, d], seed)
  if (kind === 'relu' || kind === 'gated') kernels.fill(params.bEnc, -quantile)
  if (params.threshold)
    kernels.fill(params.threshold, sparsity.kind === 'tanh' ? Math.log(quantile) : quantile)
  const running = kernels.zeros([SAE_RUNNING])
  if (!kind.endsWith('topk')) kernels.fill(kernels.rows(running, 0, 1), density)
  const packed = kernels.saePack(params.wEnc, precision, null)
  return { params, m: zeros(), v: zeros(), packed, tokensSinceFired: kernels.zeros([f], 'i32'), running }
}

/** Random rows of norm 1, a few at a time so that JavaScript's memory does not count. */
function fillRows(
  kernels: Kernels,
  { wEnc, wDec }: SaeTensors,
  [f, d]: [number, number],
  seed: number,
): void {
  const random = Random.named(seed, 'bench weights')
  const rows = 256
  for (let first = 0; first < f; first += rows) {
    const count = Math.min(rows, f - first)
    const data = Float32Array.from({ length: count * d }, () => random.normal() / Math.sqrt(d))
    kernels.write(kernels.rows(wEnc, first, count), data)
    kernels.write(kernels.rows(wDec, first, count), data)
  }
}

// As a process of its own, so that memory is that of one case: node sae-case.js '<SaeCase as JSON>'
if (process.argv[1]?.endsWith('sae-case.js'))
  console.log(JSON.stringify(await measureSaeCase(JSON.parse(process.argv[2] ?? '{}') as SaeCase)))
