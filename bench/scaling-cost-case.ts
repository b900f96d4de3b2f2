import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNativeKernels } from '../src/kernels/native.js'
import { silentProgress } from '../src/progress/progress.js'
import { Random } from '../src/random/random.js'
import { saeConfigSchema } from '../src/sae/sae-config.js'
import { runSaeStage, type SaeMetrics } from '../src/sae/sae-stage.js'

/** A training to be run, and what it was measured to need. */
export interface CostCase {
  architecture: 'topk' | 'batchtopk' | 'matryoshka'
  d: number
  features: number
  k: number
  batchSize: number
  steps: number
  threads: number
}

export interface MeasuredTraining {
  /** of all steps, as metrics.json counts them */
  seconds: number
  /** most resident memory of the process, less what it had before, bytes */
  memory: number
}

/** Runs the `sae` stage on normal data, checkpoints and all, in this process. */
async function measureTraining(given: CostCase): Promise<MeasuredTraining> {
  const { architecture, d, features, k, batchSize, steps, threads } = given
  const kernels = createNativeKernels({ threads })
  const random = Random.named(0, 'bench data')
  const data = Float32Array.from({ length: batchSize * d }, () => random.normal())
  const batch = kernels.tensor(data, [batchSize, d])
  await kernels.finish()
  const before = process.memoryUsage().rss
  const source = {
    d,
    async *batches() {
      for (;;) yield batch
    },
  }
  const config = saeConfigSchema.parse({
    ...{ architecture, features, k, batchSize, deadFeatures: 'none', trainTokens: steps * batchSize },
    ...{ initTokens: batchSize, measureTokens: batchSize },
  })
  const directory = await mkdtemp(join(tmpdir(), 'monosem-bench-'))
  try {
    const out = join(directory, 'sae')
    await runSaeStage(config, { source, out, inputs: {} }, { progress: silentProgress, kernels })
    const { samplesPerSecond } = JSON.parse(await readFile(join(out, 'metrics.json'), 'utf8')) as SaeMetrics
    const memory = process.resourceUsage().maxRSS * 1024 - before
    return { seconds: (steps * batchSize) / samplesPerSecond, memory }
  } finally {
    await rm(directory, { recursive: true })
  }
}

// As a process of its own, so that memory is that of one case: node scaling-cost-case.js '<CostCase as JSON>'
console.log(JSON.stringify(await measureTraining(JSON.parse(process.argv[2]) as CostCase)))
