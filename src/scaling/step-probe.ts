import type { Kernels, SaePrecision } from '../kernels/kernels.js'
import { SAE_RUNNING, saeRunning } from '../kernels/sae-kernels.js'
import { Random } from '../random/random.js'
import { upperQuantile } from '../sae/architectures/common.js'
import { architectures } from '../sae/architectures/index.js'
import type { InitialStatistics } from '../sae/initial-statistics.js'
import { resolveSaeConfig } from '../sae/resolve-config.js'
import { type ResolvedSaeConfig, type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import { rowNorm, type SaeArrays } from '../sae/sae-params.js'
import { freeTrainState, newTrainState } from '../sae/train-state.js'

/** Time of training steps, as a line in the number of features: at a given width, batch and number of active features. */
export interface StepTime {
  /** seconds of a step = fixed + perFeature F */
  fixed: number
  perFeature: number
  /** what was measured */
  probes: { features: number; seconds: number }[]
  /** number format in which a step computes all pairs */
  precision: SaePrecision
  /** fp32 operations per second of the processor, measured beside; 0 where the kernels are the reference */
  peak: number
}

export const stepSeconds = ({ fixed, perFeature }: StepTime, features: number): number =>
  fixed + perFeature * features

interface ProbeOptions {
  config: SaeConfig
  d: number
  /** active features of a token; k for architectures that have it */
  active: number
  /** sizes to measure, two at least */
  sizes: readonly number[]
}

const warmUpSteps = 2
const timedSteps = 5

/**
 * Times real steps on normal data at feasible sizes. Weights stay as they are (learning rate 0), with a bias or threshold such that `active` features
 * fire on a token, which costs the same work. Not in it: AuxK on dead features, resampling, the source of the activations.
 * @throws MonosemError config (see `resolveSaeConfig`)
 */
export async function probeSteps(
  kernels: Kernels,
  { config, d, active, sizes }: ProbeOptions,
): Promise<StepTime> {
  const peak = await kernels.measurePeak()
  const probes: StepTime['probes'] = []
  let precision: SaePrecision = 'fp32'
  for (const features of sizes) {
    const { expansion: _, ...given } = config
    const resolved = resolveSaeConfig(
      saeConfigSchema.parse({ ...given, features, ...(isByCount(config) && { k: active }) }),
      d,
    )
    const found = await timeSteps(kernels, resolved, { d, active })
    probes.push({ features, seconds: found.seconds })
    precision = found.precision
  }
  return { ...lineThrough(probes), probes, precision, peak }
}

/** Whether k sets the number of active features. */
export const isByCount = ({ architecture }: Pick<SaeConfig, 'architecture'>): boolean =>
  ['topk', 'batchtopk', 'matryoshka'].includes(architecture)

async function timeSteps(
  kernels: Kernels,
  config: ResolvedSaeConfig,
  { d, active }: { d: number; active: number },
): Promise<{ seconds: number; precision: SaePrecision }> {
  const { batchSize } = config
  const random = Random.named(0, 'step probe')
  const data = Float32Array.from({ length: batchSize * d }, () => random.normal())
  const x = kernels.tensor(data, [batchSize, d])
  const { arrays, density } = probeArrays(config, d, active)
  const state = newTrainState(kernels, config, arrays, {
    ...{ batchesTaken: 0, scales: { input: 1, target: 1 }, variance: d, skippedRows: 0 },
    smoothing: new Float32Array(d).fill(1),
  })
  const running = new Float32Array(SAE_RUNNING)
  running[saeRunning.density] = density
  kernels.write(state.running, running)
  const options = architectures[config.architecture].stepOptions(config, { step: 50, totalSteps: 100 })
  const still = { ...options, adam: { ...options.adam, learningRate: 0 } }
  const times: number[] = []
  let precision: SaePrecision = 'fp32'
  for (let step = 0; step < warmUpSteps + timedSteps; step++) {
    const start = performance.now()
    precision = (await kernels.saeStep(state, x, x, still)).scanned
    times.push((performance.now() - start) / 1000)
  }
  freeTrainState(kernels, state)
  kernels.free(x)
  const sorted = times.slice(warmUpSteps).sort((a, b) => a - b)
  return { seconds: sorted[Math.floor(sorted.length / 2)], precision }
}

/** Start values, with biases or thresholds at which `active` features fire on a token of standard normal numbers. */
function probeArrays(
  config: ResolvedSaeConfig,
  d: number,
  active: number,
): { arrays: SaeArrays; density: number } {
  const architecture = architectures[config.architecture]
  const zeros = new Float32Array(d)
  const statistics: InitialStatistics = {
    ...{
      d,
      dOut: d,
      scales: { input: 1, target: 1 },
      mean: zeros,
      median: zeros,
      inputVariance: d,
      variance: d,
    },
    smoothing: new Float32Array(d).fill(1),
    skippedRows: 0,
  }
  const { features } = config
  const arrays = architecture.initialise(config, statistics, Random.named(0, 'probe weights'))
  const start = Object.entries(architecture.featureStart(config))
  for (const [name, value] of start)
    arrays[name as 'threshold' | 'rMag' | 'bMag'] = new Float32Array(features).fill(value)
  const density = Math.min(0.5, active / features)
  // pre-activations of normal data are normal, as wide as the row is long
  const limit = upperQuantile(density) * rowNorm(arrays.wEnc.subarray(0, d))
  const { activation } = architecture.form(config)
  arrays.bEnc.fill(activation.kind === 'relu' || activation.kind === 'gated' ? -limit : 0)
  if (arrays.threshold)
    arrays.threshold.fill(config.architecture === 'jumprelu-tanh' ? Math.log(limit) : limit)
  return { arrays, density }
}

/** Least squares; neither part below 0. */
function lineThrough(probes: StepTime['probes']): Pick<StepTime, 'fixed' | 'perFeature'> {
  const n = probes.length
  const meanX = probes.reduce((sum, { features }) => sum + features, 0) / n
  const meanY = probes.reduce((sum, { seconds }) => sum + seconds, 0) / n
  const squares = probes.reduce((sum, { features }) => sum + (features - meanX) ** 2, 0)
  const products = probes.reduce((sum, { features, seconds }) => sum + (features - meanX) * seconds, 0)
  const perFeature = squares > 0 ? Math.max(0, products / squares) : 0
  const fixed = meanY - perFeature * meanX
  return fixed >= 0 && perFeature > 0 ? { fixed, perFeature } : { fixed: 0, perFeature: meanY / meanX }
}
