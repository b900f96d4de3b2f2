import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSafetensors, type SafeTensor } from '../../src/formats/safetensors.js'
import type {
  Kernels,
  SaePrecision,
  SaeSparsity,
  SaeStepOptions,
  SaeStepStats,
  SaeTensors,
  SaeTraining,
} from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { SAE_RUNNING, saeRunning } from '../../src/kernels/sae-kernels.js'

// Made by scripts/golden/sae_golden.py; this file runs from dist/test/sae.
const golden = join(import.meta.dirname, '../../../test/golden/sae/architectures')
const tolerance = 1e-4

interface Case {
  options: SaeStepOptions
  /** per step, where they change */
  learningRates?: number[]
  coefficients?: number[]
  /** whether y is reconstructed instead of x */
  transcoder?: boolean
}
type Stored = Record<string, SafeTensor>

const { steps, cases } = JSON.parse(await readFile(join(golden, 'cases.json'), 'utf8')) as {
  steps: number
  cases: Record<string, Case>
}
const { tensors: data } = await readSafetensors(join(golden, 'data.safetensors'))

/** The options of a step, 0-based. */
function optionsAt({ options, learningRates, coefficients }: Case, step: number): SaeStepOptions {
  const { adam, sparsity } = options
  const learningRate = learningRates?.[step] ?? adam.learningRate
  const coefficient = coefficients?.[step]
  return {
    ...options,
    adam: { ...adam, learningRate, step: step + 1 },
    sparsity: coefficient === undefined ? sparsity : ({ ...sparsity, coefficient } as SaeSparsity),
  }
}

/** One tensor for each `start.*`. */
function startTensors(stored: Stored, make: (t: SafeTensor) => SaeTensors['wEnc']): SaeTensors {
  const starts = Object.entries(stored).filter(([name]) => name.startsWith('start.'))
  const entries = starts.map(([name, t]) => [name.slice('start.'.length), make(t)])
  return Object.fromEntries(entries) as SaeTensors
}

function startTraining(kernels: Kernels, stored: Stored, precision: SaePrecision): SaeTraining {
  const params = startTensors(stored, (t) => kernels.tensor(t.data as Float32Array, t.shape))
  return {
    params,
    m: startTensors(stored, (t) => kernels.zeros(t.shape)),
    v: startTensors(stored, (t) => kernels.zeros(t.shape)),
    packed: kernels.saePack(params.wEnc, precision, null),
    tokensSinceFired: kernels.zeros(params.bEnc.shape, 'i32'),
    running: kernels.zeros([SAE_RUNNING]),
  }
}

/** Batch number `step` of [batches, N, width], used in turn. */
function batch(kernels: Kernels, { shape, data }: SafeTensor, step: number) {
  const [batches, n, width] = shape
  const start = (step % batches) * n * width
  return kernels.tensor((data as Float32Array).subarray(start, start + n * width), [n, width])
}

/** What was minimised, put together from what the step reports. */
function totalLoss(stats: SaeStepStats, { sparsity, auxK }: SaeStepOptions): number {
  const coefficient = sparsity.kind === 'none' ? 0 : sparsity.coefficient
  const preAct = sparsity.kind === 'tanh' ? sparsity.preAct : 0
  const penalty = coefficient * stats.sparsity + preAct * stats.preActLoss
  return stats.prefixError + penalty + (auxK?.coefficient ?? 1) * stats.auxLoss
}

/** Fails with the statistic and the step. */
function assertStats(stats: Record<string, number>, stored: Stored, step: number): void {
  for (const [name, { data }] of Object.entries(stored)) {
    if (!name.startsWith('stats.')) continue
    const [got, expected] = [stats[name.slice('stats.'.length)], data[step]]
    const close = Math.abs(got - expected) <= tolerance * Math.abs(expected)
    assert.ok(close, `${name} of step ${step + 1}: expected ${expected}, got ${got}`)
  }
}

/** Fails with the tensor's name, the index and the largest difference. */
function assertClose(name: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(got.length, expected.length, name)
  let [worst, at, scale] = [0, 0, 1]
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i] - expected[i])
    if (!(difference <= worst)) [worst, at] = [difference, i]
    scale = Math.max(scale, Math.abs(expected[i]))
  }
  assert.ok(
    worst <= tolerance * scale,
    `${name}[${at}]: expected ${expected[at]}, got ${got[at]} (off by ${worst})`,
  )
}

async function assertTrainsAlike(kernels: Kernels, name: string, precision: SaePrecision): Promise<void> {
  const { tensors: stored } = await readSafetensors(join(golden, `${name}.safetensors`))
  const training = startTraining(kernels, stored, precision)
  for (let step = 0; step < steps; step++) {
    const options = optionsAt(cases[name], step)
    const x = batch(kernels, data.x, step)
    const y = cases[name].transcoder ? batch(kernels, data.y, step) : x
    const stats = await kernels.saeStep(training, x, y, options)
    assert.equal(stats.badRow, -1)
    const threshold = (await kernels.readF32(training.running))[saeRunning.threshold]
    const { precision: _, scanned: __, ...numbers } = stats
    assertStats({ ...numbers, loss: totalLoss(stats, options), threshold }, stored, step)
  }
  for (const [key, tensor] of Object.entries(training.params))
    assertClose(key, await kernels.readF32(tensor), stored[`final.${key}`].data)
  const sinceFired = await kernels.read(training.tokensSinceFired)
  assert.deepEqual(sinceFired, stored['final.tokensSinceFired'].data)
  kernels.saeFreePacked(training.packed)
}

const runs: [Kernels, SaePrecision][] = [[await loadKernels({ implementation: 'reference' }), 'fp32']]
const native = await loadKernels()
if (native.name === 'native') runs.push([native, 'fp32'], [native, 'bf16'], [native, 'int8'])

for (const [kernels, precision] of runs)
  for (const name of Object.keys(cases))
    test(`${name}: ${steps} steps report and learn what PyTorch's do (${kernels.name} kernels, ${precision})`, () =>
      assertTrainsAlike(kernels, name, precision))
