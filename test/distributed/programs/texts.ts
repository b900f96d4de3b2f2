// Run by several ranks: works on a run's texts and activations. Arguments: directory of the run, "whole" or "rest".
import { openMpi } from '../../../src/distributed/mpi.js'
import { allGatherValues } from '../../../src/distributed/values.js'
import { loadKernels } from '../../../src/kernels/load.js'
import {
  buildCorpora,
  digestBatches,
  failCorpus,
  harvestBoth,
  harvestRest,
  harvestUntilKilled,
} from '../texts-work.js'

const { communicator: ranks, finalize } = openMpi()
const [root, part] = process.argv.slice(2)
const kernels = await loadKernels({ threads: 1 })
const work = { kernels, ranks, root, out: 'several' }
const print = async (value: unknown): Promise<void> => {
  const all = await allGatherValues(ranks, value)
  if (ranks.rank === 0) console.log(JSON.stringify(all))
}
try {
  if (part === 'whole') {
    await print(await failCorpus(work))
    await buildCorpora(work)
    await harvestBoth(work)
    await print(await digestBatches(work))
    await harvestUntilKilled({ ...work, out: 'killed' })
  } else await print(await harvestRest({ ...work, out: 'killed' }))
} catch (error) {
  console.error(error)
  ranks.abort(1)
}
finalize()
