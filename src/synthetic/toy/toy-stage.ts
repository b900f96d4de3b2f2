import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import type { Kernels } from '../../kernels/kernels.js'
import type { ProgressTask, StageContext } from '../../progress/progress.js'
import { writeFileAtomic } from '../../storage/atomic-file.js'
import { readStageJson } from '../../storage/open-stage.js'
import { runStage, type StageResult } from '../../storage/stage.js'
import { type FinishedParts, openFinishedParts } from './finished-parts.js'
import type { ToyConfig } from './toy-config.js'
import { drawPicture, geometryRequests } from './toy-geometry.js'
import { renderToyPage } from './toy-page.js'
import { type RecoveryRequest, recoverToy, recoveryRequests } from './toy-recovery.js'
import type { ToyGeometry, ToyRecovery, ToyReport } from './toy-report.js'

/** What the parts of the stage share. */
interface Run {
  kernels: Kernels
  config: ToyConfig
  context: StageContext
  part: FinishedParts
  /** the stage's partial directory */
  directory: string
}

/**
 * Runs the `toy` stage: trains toy models of superposition, looks for their features with autoencoders, and writes toy.json and
 * report.html. Every finished model is kept, so that an interrupted run goes on where it was.
 * @throws MonosemError config, interrupted, diverged (an autoencoder of the claim), and those of `runStage`
 */
export async function runToyStage(
  config: ToyConfig,
  { out }: { out: string },
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  checkConfig(config)
  const request = { stage: 'toy', out, config: { ...config }, inputs: {}, seed: config.seed }
  return runStage(request, async (partial) => {
    const part = await openFinishedParts(partial)
    const run = { kernels: context.kernels, config, context, part, directory: partial }
    const report: ToyReport = {
      ...(await recoverAll(run)),
      geometry: config.geometry ? await drawGeometry(run) : null,
    }
    await writeFileAtomic(join(partial, 'toy.json'), `${JSON.stringify(report)}\n`)
    await writeFileAtomic(join(partial, 'report.html'), await renderToyPage(report))
  })
}

/** Reads the report of a finished `toy` directory. @throws MonosemError missing, corrupt, format */
export async function readToyReport(directory: string): Promise<ToyReport> {
  return readStageJson<ToyReport>(directory, 'toy', 'toy.json')
}

function checkConfig({ features, dimensions }: ToyConfig): void {
  if (dimensions > features)
    throw new MonosemError(
      'config',
      `--dimensions: expected at most ${features}, the number of features, got ${dimensions}`,
      { hint: 'superposition takes more features than dimensions' },
    )
}

async function recoverAll(run: Run): Promise<Pick<ToyReport, 'claim' | 'sweeps'>> {
  const { claim, sweeps } = recoveryRequests(run.config)
  const recover = (name: string, request: RecoveryRequest): Promise<ToyRecovery> =>
    run.part(name, () => {
      const { features: n, dimensions: m, density } = request
      run.context.progress.note(`${name}: ${n} features in ${m} dimensions, density ${density}`)
      const checkpoints = join(run.directory, `checkpoint-${name}`)
      return recoverToy(run.kernels, request, checkpoints, run.config, run.context)
    })
  const found = { claim: await recover('claim', claim), sweeps: null }
  if (!sweeps) return found
  const dictionaries = await recover('dictionaries', sweeps.dictionaries)
  const models: ToyRecovery[] = []
  for (const [i, request] of sweeps.models.entries()) models.push(await recover(`model-${i}`, request))
  return { ...found, sweeps: { models, dictionaries } }
}

async function drawGeometry(run: Run): Promise<ToyGeometry> {
  const { kernels, config, context } = run
  const requests = geometryRequests(config)
  const total = Object.values(requests).reduce((sum, group) => sum + group.length, 0)
  const task = context.progress.start('train toy models', total, 'models')
  const counter = { done: 0 }
  try {
    const draw = async (group: keyof ToyGeometry) => {
      const pictures: ToyGeometry[typeof group] = []
      for (const [i, request] of requests[group].entries()) {
        pictures.push(await run.part(`${group}-${i}`, () => drawPicture(kernels, request, config, context)))
        advance(task, counter)
      }
      return pictures
    }
    return {
      plane: await draw('plane'),
      correlated: await draw('correlated'),
      importance: await draw('importance'),
      sparsity: await draw('sparsity'),
      phases: await draw('phases'),
    }
  } finally {
    task.end()
  }
}

function advance(task: ProgressTask, counter: { done: number }): void {
  counter.done++
  task.update(counter.done)
}
