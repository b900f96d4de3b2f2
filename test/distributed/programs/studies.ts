// Run by several ranks: evaluation, features and explanations of a run, as the test's options ask for. What each of them made stays in its directory.
import { join } from 'node:path'
import { openMpi } from '../../../src/distributed/mpi.js'
import { gatherValues } from '../../../src/distributed/values.js'
import { runEvalStage } from '../../../src/eval/eval-stage.js'
import { runFeaturesStage } from '../../../src/features/features-stage.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { type Progress, silentProgress } from '../../../src/progress/progress.js'
import { explainInto, type StudiesRun } from '../studies-run.js'

const run = JSON.parse(process.argv[2]) as StudiesRun
const { inputs, evals, features, out } = run
const { communicator: ranks, finalize } = openMpi()
const context = { progress: silentProgress, kernels: await loadKernels({ threads: 1 }), ranks }
const returned: unknown[] = []

for (const [name, config] of Object.entries(evals))
  returned.push(await runEvalStage(config, { ...inputs, out: join(out, name) }, context))
for (const [name, config] of Object.entries(features))
  returned.push(await runFeaturesStage(config, { ...inputs, out: join(out, name) }, context))

returned.push(await explainInto(join(out, 'explanations'), run.explanations, run, context))

// The last rank, which explains nothing, is told to stop when the first explanations are kept; then all go on.
const stop = new AbortController()
const stopping: Progress = {
  ...silentProgress,
  start: (label) => ({
    update: () => {
      if (label === 'explain features' && ranks.rank === ranks.size - 1) stop.abort()
    },
    end: () => {},
  }),
}
const asked = join(out, 'asked')
const interrupted = { ...context, signal: stop.signal, progress: stopping }
const code = await explainInto(asked, run.asking, run, interrupted).then(
  () => null,
  (error) => error.code,
)
returned.push(code, await explainInto(asked, run.asking, run, context))

const all = await gatherValues(ranks, returned)
if (ranks.rank === 0) console.log(JSON.stringify(all))
finalize()
