import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { openActivations } from '../activations/activation-store.js'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import { freeTransformer } from '../model/transformer.js'
import { saeConfigSchema } from '../sae/sae-config.js'
import { readCommReport } from '../scaling/comm-model.js'
import { costConfigSchema } from '../scaling/cost-config.js'
import { estimateCost } from '../scaling/estimate-cost.js'
import { scalingFitConfigSchema } from '../scaling/fit-config.js'
import { readScalingReport, runScalingStage } from '../scaling/fit-stage.js'
import { type HeldOut, heldOutFromStore, heldOutFromText } from '../scaling/held-out.js'
import { readFailure } from '../scaling/job-files.js'
import { planCluster, type RankSpeed } from '../scaling/plan-cluster.js'
import { type PlanConfig, planConfigSchema } from '../scaling/plan-config.js'
import { planJobs } from '../scaling/plan-jobs.js'
import { rankSpeed } from '../scaling/rank-speed.js'
import { renderCost } from '../scaling/render-cost.js'
import { renderPlan } from '../scaling/render-plan.js'
import { renderScaling } from '../scaling/render-scaling.js'
import { type JobStatus, runJobs } from '../scaling/run-jobs.js'
import { type ScalingConfig, scalingConfigSchema } from '../scaling/scaling-config.js'
import { openStage } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addPaths } from './run-paths.js'
import {
  addActivationsPath,
  defaultsFor,
  openSaeSource,
  readSaeInputs,
  type SaeInputs,
} from './sae-source.js'
import type { Outcome, Session } from './session.js'

/** `monosem scaling run`, `fit`, `cost` and `plan` */
export function addScaling(program: Command): void {
  const scaling = program
    .command('scaling')
    .description(
      'scaling laws: how the loss falls with compute, size and length of training, and what a run will need',
    )
  addRun(scaling)
  addFit(scaling)
  addCost(scaling)
  addPlan(scaling)
}

function addRun(scaling: Command): void {
  const run = addCommand(
    scaling,
    'run',
    {
      description:
        'Train autoencoders of several sizes and lengths, each from start to end, and measure their losses on held-out text. Started again, it goes on; ' +
        'several processes may work on one directory.',
      example:
        'monosem scaling run --run runs/demo --features 128 256 512 1024 2048 --budgets 5e11 1e12 2e12 4e12 8e12',
    },
    runSweep,
  )
  addActivationsPath(addPaths(run, ['corpus', 'model']))
    .option(
      '--held-out <dir>',
      'directory of stored activations of other text, to measure on; needed with --activations (else validation text is read)',
    )
    .option('--out <dir>', 'directory of the jobs, one directory for each (default: <run>/scaling-jobs)')
  addFlags(run, scalingConfigSchema)
}

async function runSweep(session: Session, command: Command): Promise<Outcome> {
  const inputs = readSaeInputs(command)
  const config = readFlags(command, scalingConfigSchema, await defaultsFor(inputs))
  const out = jobsDirectory(command, 'out')
  const kernels = await session.kernels()
  const source = await openSaeSource(kernels, saeOptions(config), inputs)
  const plan = planJobs(config, source.d)
  const heldOut = await openHeldOut(kernels, config, inputs, command.getOptionValue('heldOut'))
  const paths = { source, out, inputs, heldOut: heldOut.activations, heldOutInputs: heldOut.inputs }
  const status = await runJobs(plan, paths, config.together, { ...session.context, kernels })
  const count = (wanted: JobStatus): number => status.filter((found) => found === wanted).length
  const counts = {
    done: count('done') + count('was there'),
    failed: count('failed'),
    inOtherProcesses: count('in another process'),
  }
  if (counts.done === 0 && counts.failed > 0)
    throw await allFailed(out, plan.jobs[status.indexOf('failed')].name)
  const jobs = plan.jobs.map(({ sae, ...job }, i) => ({ ...job, status: status[i] }))
  return {
    json: { directory: out, ...counts, jobs, leftOut: plan.leftOut },
    text: [
      `${out}: ${counts.done} of ${jobs.length} jobs are done, ${counts.failed} failed, ${counts.inOtherProcesses} are in another process`,
      ...plan.leftOut.map((what) => `left out: ${what}`),
    ].join('\n'),
  }
}

function addFit(scaling: Command): void {
  const fit = addCommand(
    scaling,
    'fit',
    {
      description:
        'Fit the laws of the finished jobs of `monosem scaling run`: loss, best size and best steps against compute, with 95% intervals.',
      example: 'monosem scaling fit --run runs/demo',
    },
    async (_session, command) => {
      const jobs = jobsDirectory(command, 'jobs')
      const run: string | undefined = command.getOptionValue('run')
      const out: string = command.getOptionValue('out') ?? join(run ?? dirname(jobs), 'scaling')
      const result = await runScalingStage(readFlags(command, scalingFitConfigSchema), { jobs, out })
      const report = await readScalingReport(result.directory)
      return {
        json: { ...result, ...(report as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderScaling(report)}`,
      }
    },
  )
    .option('--run <dir>', 'run directory: stands for <dir>/scaling-jobs and <dir>/scaling')
    .option('--jobs <dir>', 'directory that `monosem scaling run` wrote (default: <run>/scaling-jobs)')
    .option('--out <dir>', 'directory to write (default: <run>/scaling)')
  addFlags(fit, scalingFitConfigSchema)
}

function addCost(scaling: Command): void {
  const cost = addCommand(
    scaling,
    'cost',
    {
      description:
        'Say what a training will need before it begins: hours on this machine, from a few steps that are timed, memory, disk, and over how many ranks ' +
        'it would split.',
      example: 'monosem scaling cost --features 1M 4M 34M --d 4096 --tokens 8B',
    },
    async (session, command) => {
      const config = readFlags(command, costConfigSchema)
      const rankBytes = config.rankGib === undefined ? totalmem() : config.rankGib * 2 ** 30
      const estimate = await estimateCost(await session.kernels(), config, rankBytes)
      return { json: estimate as unknown as Json, text: renderCost(estimate) }
    },
  )
  addFlags(cost, costConfigSchema)
}

function addPlan(scaling: Command): void {
  const plan = addCommand(
    scaling,
    'plan',
    {
      description:
        'Say what a training on many ranks will need before it begins: memory of each rank, bytes that it sends, time, and which arrangement of the ranks ' +
        'is best. --threads is for each rank of that machine.',
      example:
        'monosem scaling plan --features 34M --d 8192 --k 64 --tokens 8e9 --nodes 64 --ranks-per-node 8 --threads 16 --node-gib 512',
    },
    async (session, command) => {
      const config = readFlags(command, planConfigSchema)
      const commFile: string | undefined = command.getOptionValue('comm')
      const comm = commFile === undefined ? null : await readCommReport(commFile)
      const speed = await speedOfRank(session, config)
      const nodeBytes = config.nodeGib === undefined ? totalmem() : config.nodeGib * 2 ** 30
      const planned = planCluster(config, { nodeBytes, speed, comm })
      return { json: planned as unknown as Json, text: renderPlan(planned) }
    },
  ).option('--comm <file>', 'what `monosem bench comm --out` wrote (default: no times of exchanges)')
  addFlags(plan, planConfigSchema)
}

/** --threads are those of the planned ranks: what is measured here is measured with this machine's. */
async function speedOfRank({ options }: Session, config: PlanConfig): Promise<RankSpeed | null> {
  const here = availableParallelism()
  const threads = options.threads || here
  const { flopsPerThread, memoryBandwidth } = config
  if (flopsPerThread !== undefined && memoryBandwidth !== undefined)
    return { threads, flopsPerThread, memoryBandwidth }
  if (!config.probe) return null
  const implementation = options.kernels === 'auto' ? undefined : options.kernels
  const kernels = await loadKernels({ threads: here, ...(implementation && { implementation }) })
  return rankSpeed(kernels, config, { probe: here, rank: threads })
}

/** When no job is finished, what stopped one of them stops the command: activations that are not finite, most likely. */
async function allFailed(out: string, name: string): Promise<MonosemError> {
  const failure = await readFailure(out, name)
  return new MonosemError('diverged', `scaling: every job failed; ${name}: ${failure?.message}`, {
    hint: `remove ${out} to try again, with other activations or a lower --learning-rate`,
  })
}

/** The directory of jobs, from its own flag or from the run's. */
function jobsDirectory(command: Command, flag: 'out' | 'jobs'): string {
  const run: string | undefined = command.getOptionValue('run')
  const directory: string | undefined = command.getOptionValue(flag) ?? (run && join(run, 'scaling-jobs'))
  if (directory === undefined)
    throw new MonosemError('config', `--${flag}: expected a directory, got nothing`, {
      hint: `pass --${flag} DIR, or --run DIR for DIR/scaling-jobs`,
    })
  return directory
}

/** What decides which activations come, for `openSaeSource`. */
function saeOptions({ hookName, streamSeed = 0, bufferTokens, activationDtype, modelBatch }: ScalingConfig) {
  return saeConfigSchema.parse({ hookName, streamSeed, bufferTokens, activationDtype, modelBatch })
}

/** Activations that are not trained on, and the finished directories that they come from. */
async function openHeldOut(
  kernels: Kernels,
  { hookName, heldOutTokens: tokens }: ScalingConfig,
  inputs: SaeInputs,
  directory: string | undefined,
): Promise<{ activations: HeldOut; inputs: Record<string, string> }> {
  if (directory !== undefined) {
    const store = await openActivations(directory)
    await requireOther(store.directory, inputs)
    return {
      activations: await heldOutFromStore(kernels, store, { hookName, tokens }),
      inputs: { heldOut: directory },
    }
  }
  if ('activations' in inputs)
    throw new MonosemError('config', '--held-out: expected a directory of activations, got nothing', {
      hint: 'harvest some of other text: monosem activations harvest --split validation',
    })
  const { model, corpus } = await openModelAndCorpus(kernels, inputs)
  try {
    return { activations: await heldOutFromText(kernels, { model, corpus }, { hookName, tokens }), inputs }
  } finally {
    freeTransformer(model)
  }
}

/** @throws MonosemError config: what is held out is what is trained on: the same store, or one of the same split of the same corpus */
async function requireOther(heldOut: string, inputs: SaeInputs): Promise<void> {
  if (!('activations' in inputs)) return
  const textOf = async (directory: string): Promise<string> => {
    const { info } = await openActivations(directory)
    const { manifest } = await openStage(directory, 'activations')
    return `${info.split} of ${manifest.inputs.corpus?.manifestSha256}`
  }
  if ((await textOf(inputs.activations)) !== (await textOf(heldOut))) return
  throw new MonosemError('config', '--held-out: expected other activations than those of --activations', {
    hint: 'harvest some of other text: monosem activations harvest --split validation',
  })
}
