// Run by several ranks: trains autoencoders on synthetic activations, one after the other; rank 0 prints what the ranks have in the end.
import { createHash } from 'node:crypto'
import { createMesh } from '../../../src/distributed/mesh.js'
import { openMpi } from '../../../src/distributed/mpi.js'
import { gatherValues } from '../../../src/distributed/values.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import type { Kernels, SaeTraining, Tensor } from '../../../src/kernels/kernels.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { silentProgress } from '../../../src/progress/progress.js'
import { trainSaes } from '../../../src/sae/sae-stage.js'
import type { RankState, TrainJob } from '../train-job.js'
import { smallSource, watched } from '../train-job.js'

const { communicator: world, finalize } = openMpi()
const kernels = await loadKernels({ threads: 1, implementation: 'native' })

const read = async (tensors: readonly Tensor[]): Promise<string> => {
  const hash = createHash('sha256')
  for (const values of await Promise.all(tensors.map((t) => kernels.read(t))))
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  return hash.digest('hex')
}

/** What a rank has after the steps that were enqueued so far. */
async function hashesOf(state: SaeTraining): Promise<Pick<RankState, 'shared' | 'own'>> {
  const { params, m, v, tokensSinceFired, running } = state
  const groups = [params, m, v]
  const shared = read([...groups.flatMap(({ bDec, wSkip }) => [bDec, ...(wSkip ? [wSkip] : [])]), running])
  const own = read([...groups.flatMap(({ wEnc, bEnc, wDec }) => [wEnc, bEnc, wDec]), tokensSinceFired])
  return { shared: await shared, own: await own }
}

async function train({
  out,
  config,
  also,
  featureRanks,
  gradients,
  stop,
  kill,
  spoil,
}: TrainJob): Promise<RankState> {
  const mesh = await createMesh(world, { featureRanks })
  const lastStep = Math.ceil(config.trainTokens / config.batchSize)
  const notes: string[] = []
  let hashes: Promise<Pick<RankState, 'shared' | 'own'>> | undefined
  const watching: Kernels = {
    ...kernels,
    saeStep(state, x, y, options) {
      const stats = kernels.saeStep(state, x, y, options)
      if (options.adam.step === lastStep) hashes = hashesOf(state)
      if (options.adam.step === lastStep && spoil?.rank === world.rank)
        kernels.write(state.params.bEnc, new Float32Array(state.params.bEnc.shape[0]).fill(Number.NaN))
      return stats
    },
  }
  const abort = new AbortController()
  let source = smallSource(kernels, config)
  if (stop?.rank === world.rank) source = watched(source, stop.batch, () => abort.abort())
  if (kill?.rank === world.rank)
    source = watched(source, kill.batch, () => process.kill(process.pid, 'SIGKILL'))
  const context = {
    kernels: watching,
    progress: { ...silentProgress, note: (text: string) => notes.push(text) },
    signal: abort.signal,
    ranks: world,
    mesh,
    gradients,
  }
  let error: string | null = null
  try {
    await trainSaes([{ config, out }, ...(also ? [also] : [])], { source, inputs: {} }, context)
  } catch (thrown) {
    if (!(thrown instanceof MonosemError)) throw thrown
    error = `${thrown.code}: ${thrown.message}`
  }
  const place = { featureRank: mesh.features.rank, dataRank: mesh.data.rank }
  return { ...place, notes, error, ...(await hashes) }
}

const results: (RankState[] | null)[] = []
for (const job of JSON.parse(process.argv[2]) as TrainJob[])
  results.push(await gatherValues(world, await train(job)))
if (world.rank === 0) console.log(JSON.stringify(results))
finalize()
