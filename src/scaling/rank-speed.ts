import type { Kernels } from '../kernels/kernels.js'
import { saeConfigSchema } from '../sae/sae-config.js'
import { type RankSpeed, stepFlops, updateBytes } from './plan-cluster.js'
import type { PlanConfig } from './plan-config.js'
import { probeSteps } from './step-probe.js'

/** W_enc of the largest timed step, bytes; smaller for a batch that is larger than usual */
const probeBytes = 64e6
const bandwidthFloats = 1 << 25

/**
 * What a rank computes with: what was given, and for the rest what this machine does. A step of a feasible size is timed; what is left of it after the
 * time that the update needs of the memory is arithmetic.
 * @param kernels of this machine, all of its threads
 */
export async function rankSpeed(
  kernels: Kernels,
  config: PlanConfig,
  threads: { probe: number; rank: number },
): Promise<RankSpeed> {
  const bandwidth = config.memoryBandwidth ?? (await measureBandwidth(kernels))
  if (config.flopsPerThread !== undefined)
    return { threads: threads.rank, flopsPerThread: config.flopsPerThread, memoryBandwidth: bandwidth }
  const { architecture, d, k, batchSize, precision } = config
  const features = Math.max(k, Math.min(config.features, Math.floor(probeBytes / (4 * d))))
  const time = await probeSteps(kernels, {
    config: saeConfigSchema.parse({ architecture, batchSize: Math.min(batchSize, 4096), precision }),
    ...{ d, active: k },
    sizes: [features],
  })
  const flops = stepFlops(config, {
    ...{ features, featureRanks: 1, dataRanks: 1, batchSize: Math.min(batchSize, 4096) },
    ...(architecture === 'matryoshka' && { prefixes: 5 }),
  })
  const [{ seconds }] = time.probes
  const arithmetic = Math.max(seconds / 10, seconds - updateBytes(d, features) / bandwidth)
  return {
    threads: threads.rank,
    flopsPerThread: flops / arithmetic / threads.probe,
    memoryBandwidth: bandwidth,
  }
}

/** Bytes a second of y += w (x - y) with all threads on vectors that no cache holds: two are read, one is written. */
async function measureBandwidth(kernels: Kernels): Promise<number> {
  const [x, y] = [kernels.zeros([bandwidthFloats]), kernels.zeros([bandwidthFloats])]
  // untouched zeros are all the same page
  kernels.fill(x, 1)
  kernels.fill(y, 0)
  await kernels.finish()
  let fastest = Infinity
  for (let round = 0; round < 4; round++) {
    const start = performance.now()
    kernels.mixInPlace(y, x, 0.5)
    await kernels.finish()
    fastest = Math.min(fastest, (performance.now() - start) / 1000)
  }
  for (const tensor of [x, y]) kernels.free(tensor)
  return (3 * 4 * bandwidthFloats) / fastest
}
