import type { Communicator } from '../src/distributed/communicator.js'
import { openRanks, readLaunch } from '../src/distributed/launch.js'
import { createMesh, sliceOf } from '../src/distributed/mesh.js'
import type { SaePrecision } from '../src/kernels/kernels.js'
import { createNativeKernels } from '../src/kernels/native.js'
import { Random } from '../src/random/random.js'
import { saeRanksOf } from '../src/sae/sae-ranks.js'
import { startTraining, stepOptions } from './sae-case.js'

/** A training step that the ranks of a mesh share. */
export interface RanksCase {
  architecture: 'topk' | 'batchtopk'
  precision: SaePrecision
  /** of all ranks together */
  shape: { b: number; d: number; f: number; k: number }
  featureRanks: number
  dataRanks: number
  gradients: 'f32' | 'bf16'
  /** of each rank */
  threads: number
  /** steps that are timed, after two that are not */
  steps: number
}

export interface RanksCaseResult {
  /** of the fastest step, from JavaScript's call to its result */
  ms: number
  /** that a rank sent to others in a step, mean over ranks and steps */
  bytesPerStep: number
  /** time in exchanges, as a share of all timed steps, mean over ranks: waiting for slower ranks is part of it */
  exchangeShare: number
  l0: number
  precision: SaePrecision
}

/** Times training steps on normal data; every rank of the job calls it, rank 0 gets the result that counts. */
async function measureRanksCase(given: RanksCase, world: Communicator): Promise<RanksCaseResult> {
  const { shape, featureRanks, dataRanks, gradients, steps } = given
  const kernels = createNativeKernels({ threads: given.threads })
  const mesh = await createMesh(world, { featureRanks, dataRanks })
  const f = sliceOf(shape.f, mesh.features).count
  const rows = sliceOf(shape.b, mesh.data).count
  const own = { ...given, density: 0, shape: { ...shape, f, b: rows } }
  const training = await startTraining(kernels, own, mesh.features.rank)
  const random = Random.named(mesh.data.rank, 'bench data')
  const data = Float32Array.from({ length: rows * shape.d }, () => random.normal())
  const x = kernels.tensor(data, [rows, shape.d])
  const ranks = saeRanksOf(mesh, shape.f, shape.b, gradients)
  const traffic = () => {
    const [a, b] = [mesh.features.traffic(), mesh.data.traffic()]
    return { bytes: a.bytes + b.bytes, seconds: a.seconds + b.seconds }
  }
  let [before, since, fastest, l0] = [traffic(), 0, Infinity, 0]
  let precision: SaePrecision = 'fp32'
  for (let step = 1; step <= steps + 2; step++) {
    if (step === 3) [before, since] = [traffic(), performance.now()]
    const start = performance.now()
    const stats = await kernels.saeStep(training, x, x, {
      ...stepOptions(given, step),
      ...(ranks && { ranks }),
    })
    if (step > 2) fastest = Math.min(fastest, performance.now() - start)
    l0 = stats.l0
    precision = stats.precision
  }
  const seconds = (performance.now() - since) / 1000
  const after = traffic()
  const share = (after.seconds - before.seconds) / seconds
  const sums = await world.sum([(after.bytes - before.bytes) / steps, share])
  const [ms] = await world.max([fastest])
  return {
    ...{ ms, l0, precision },
    bytesPerStep: sums[0] / world.size,
    exchangeShare: sums[1] / world.size,
  }
}

// Run by mpirun, or alone: node ranks-case.js '<RanksCase as JSON>'
const { communicator, finalize } = openRanks(readLaunch())
const result = await measureRanksCase(JSON.parse(process.argv[2] ?? '{}') as RanksCase, communicator)
if (communicator.rank === 0) console.log(JSON.stringify(result))
await communicator.barrier()
finalize()
