import { basename } from 'node:path'
import { createMesh, type Mesh, singleMesh } from '../distributed/mesh.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, SaeRanks } from '../kernels/kernels.js'
import { interrupted, type Progress, type ProgressTask, type StageContext } from '../progress/progress.js'
import type { ActivationSource } from './activation-source.js'
import { badActivation } from './bad-activations.js'
import { type Batch, type BatchStream, openBatchStream } from './batch-stream.js'
import { type InitialStatistics, initialStatistics } from './initial-statistics.js'
import { createSaeMeter, type SaeMeasurements, type SaeMeter } from './measure-sae.js'
import { createSaeParts, type SaeParts, unloadSae } from './sae.js'
import type { ResolvedSaeConfig } from './sae-config.js'
import { ranksOfFeatures } from './sae-ranks.js'
import {
  freeTrainee,
  isTraining,
  readTrained,
  resampleIfDue,
  resumeTrainee,
  saveTrainee,
  startTrainee,
  type Trained,
  type Trainee,
  type TraineeContext,
  type TraineeRequest,
  takeStep,
} from './trainee.js'

/** What training gets besides configurations, and who takes part in it. */
export interface TrainContext extends StageContext {
  /** how ranks share the work; default: all of `ranks` share the features */
  mesh?: Mesh
  /** what gradients cross in between ranks with the same features. Default 'f32' */
  gradients?: SaeRanks['gradients']
}

/** A trained autoencoder, and what it was measured to be. */
export interface TrainedAndMeasured extends Trained {
  measured: SaeMeasurements
}

/** One autoencoder on its way: it trains, then it is measured on the batches that follow, then it is done. */
type Phase =
  | { name: 'training'; trainee: Trainee }
  | { name: 'measuring'; trained: Trained; parts: SaeParts; meter: SaeMeter; next: number }
  | { name: 'done'; result: TrainedAndMeasured }
  | { name: 'failed'; error: MonosemError }

/** Everything that trains on one stream. */
interface Run {
  kernels: Kernels
  context: StageContext
  mesh: Mesh
  stream: BatchStream
  phases: Phase[]
  task: ProgressTask
  firstBatch: number
}

/**
 * Trains autoencoders on one stream of activations, so that these are computed once, and measures them. Each ends as it would
 * alone, to the bit: what one does never changes what another one sees. Each keeps checkpoints, metrics.jsonl and timings.jsonl in
 * its directory and goes on from there; the stream begins where the one that is furthest behind is.
 *
 * Ranks of a mesh train each of them together: all take the same steps, save and stop at the same ones, and rank 0 writes down how it goes. On any number of
 * ranks an autoencoder is the same but for rounding.
 *
 * The configurations agree on everything that decides which activations come (`streamFields`).
 * @returns in the order of the requests; an autoencoder that diverged is the error, and does not stop the others
 * @throws MonosemError diverged (NaN or infinity in the activations: the last checkpoints are kept), interrupted (after saving), corrupt
 */
export async function trainTogether(
  kernels: Kernels,
  source: ActivationSource,
  requests: readonly TraineeRequest[],
  context: TrainContext,
): Promise<(TrainedAndMeasured | MonosemError)[]> {
  const mesh = await meshOf(context)
  const { stream, trainees } = await openAll(kernels, source, requests, { ...context, mesh })
  const [{ config }] = requests
  const steps = Math.max(...trainees.map(({ totalSteps }) => totalSteps))
  const label = trainees.length === 1 ? 'train the autoencoder' : `train ${trainees.length} autoencoders`
  const run: Run = {
    kernels,
    context,
    mesh,
    stream,
    phases: trainees.map((trainee) => ({ name: 'training', trainee })),
    task: context.progress.start(label, steps * config.batchSize, 'tokens'),
    firstBatch: initBatches(requests[0]),
  }
  try {
    await trainLoop(run, config)
    return run.phases.map((phase) =>
      phase.name === 'done' ? phase.result : (phase as Phase & { name: 'failed' }).error,
    )
  } finally {
    run.task.end()
    await kernels.finish().catch(() => {})
    await stream.close()
    for (const phase of run.phases) release(phase)
  }
}

/** Its `world` is a group of our own: the source may be talking to the other ranks over theirs at any moment. */
async function meshOf({ mesh, ranks }: TrainContext): Promise<Mesh> {
  if (!mesh && !ranks) return singleMesh
  const { world, ...groups } = mesh ?? (await createMesh(ranks ?? singleMesh.world, {}))
  return { ...groups, world: await world.split(0) }
}

const initBatches = ({ config }: TraineeRequest): number => Math.ceil(config.initTokens / config.batchSize)

function release(phase: Phase): void {
  if (phase.name === 'training') freeTrainee(phase.trainee)
  if (phase.name === 'measuring') unloadSae(phase.parts)
}

/** Resumes or starts every autoencoder, and opens the stream at the batch that the first of them needs. */
async function openAll(
  kernels: Kernels,
  source: ActivationSource,
  requests: readonly TraineeRequest[],
  { mesh, gradients, progress }: TrainContext & { mesh: Mesh },
): Promise<{ stream: BatchStream; trainees: Trainee[] }> {
  const trainees = new Map<TraineeRequest, Trainee>()
  const contextOf = ({ directory }: TraineeRequest): TraineeContext => ({
    kernels,
    source,
    mesh,
    progress: requests.length === 1 ? progress : labelled(progress, basename(directory, '.partial')),
    ...(gradients && { gradients }),
  })
  let stream: BatchStream | undefined
  try {
    for (const request of requests) {
      const trainee = await resumeTrainee(contextOf(request), request)
      if (trainee) trainees.set(request, trainee)
    }
    const fresh = requests.filter((request) => !trainees.has(request))
    stream = openStream(kernels, source, requests[0], fresh.length > 0 ? [] : [...trainees.values()])
    if (fresh.length > 0) {
      const statistics = await describe(kernels, source, stream, requests[0])
      const start = { statistics, batchesTaken: stream.position }
      for (const request of fresh)
        trainees.set(request, await startTrainee(contextOf(request), request, start))
    }
    return { stream, trainees: requests.map((request) => trainees.get(request) as Trainee) }
  } catch (error) {
    await stream?.close()
    for (const trainee of trainees.values()) freeTrainee(trainee)
    throw error
  }
}

/** Says which of several autoencoders a note is about. */
function labelled(progress: Progress, name: string): Progress {
  return { ...progress, note: (text) => progress.note(`${name}: ${text}`) }
}

/** The stream from the beginning, or from where the furthest behind of some autoencoders is. */
function openStream(
  kernels: Kernels,
  source: ActivationSource,
  { config }: TraineeRequest,
  resumed: readonly Trainee[],
): BatchStream {
  if (resumed.length === 0) return openBatchStream(kernels, source, config.batchSize)
  const counters = resumed.map(({ state }) => state.counters)
  const position = Math.min(...counters.map(({ batchesTaken }) => batchesTaken))
  return openBatchStream(kernels, source, config.batchSize, { position, scales: counters[0].scales })
}

/** Takes the first batches off the stream, and scales those that come after them. */
async function describe(
  kernels: Kernels,
  source: ActivationSource,
  stream: BatchStream,
  request: TraineeRequest,
): Promise<InitialStatistics> {
  const { batchSize, badActivations } = request.config
  const count = initBatches(request)
  const taken = async function* (): AsyncGenerator<Batch> {
    for (let i = 0; i < count; i++) yield await stream.next()
  }
  const refuse = (batch: number, row: number) => badActivation(source, { batch, row, batchSize })
  const statistics = await initialStatistics(kernels, taken(), badActivations === 'stop' ? refuse : undefined)
  stream.rescale(statistics.scales)
  return statistics
}

async function trainLoop(run: Run, { batchSize, checkpointEverySeconds }: LoopOptions): Promise<void> {
  let since = performance.now()
  let saveAt = since + checkpointEverySeconds * 1000
  while (true) {
    await eachTrainee(run, (trainee, i) => finishIfDue(run, trainee, i))
    if (!run.phases.some(({ name }) => name === 'training' || name === 'measuring')) return
    await eachTrainee(run, (trainee) => resampleIfNext(run, trainee))
    const batch = await run.stream.next()
    await eachTrainee(run, (trainee) => stepIfNext(trainee, batch))
    await measureEach(run, batch)
    const now = performance.now()
    for (const { state } of traineesOf(run)) state.counters.seconds += (now - since) / 1000
    since = now
    report(run, batch, batchSize)
    const { save, stop } = await agree(run, now >= saveAt)
    if (!save && !stop) continue
    await eachTrainee(run, saveTrainee)
    if (stop && traineesOf(run).some(isTraining)) throw interrupted()
    since = performance.now()
    saveAt = since + checkpointEverySeconds * 1000
  }
}

/** What all ranks do after a step: rank 0's clock says when to save, and any rank may be told to stop. The kernels compute on meanwhile. */
async function agree(
  { mesh: { world }, context }: Run,
  due: boolean,
): Promise<{ save: boolean; stop: boolean }> {
  const asked = [due && world.rank === 0, context.signal?.aborted === true]
  const [save, stop] = await world.max(asked.map(Number))
  return { save: save > 0, stop: stop > 0 }
}

type LoopOptions = Pick<ResolvedSaeConfig, 'batchSize' | 'checkpointEverySeconds'>

const traineesOf = ({ phases }: Run): Trainee[] =>
  phases.flatMap((phase) => (phase.name === 'training' ? [phase.trainee] : []))

/** Does something to each autoencoder that trains. Where one of several diverges, the others go on. */
async function eachTrainee(run: Run, action: (trainee: Trainee, i: number) => Promise<void>): Promise<void> {
  for (const [i, phase] of run.phases.entries()) {
    if (phase.name !== 'training') continue
    try {
      await action(phase.trainee, i)
    } catch (error) {
      const alone = run.phases.length === 1
      if (alone || !(error instanceof MonosemError) || error.code !== 'diverged') throw error
      await run.kernels.finish().catch(() => {})
      freeTrainee(phase.trainee)
      run.phases[i] = { name: 'failed', error }
      phase.trainee.progress.note(`ends here: ${error.message}`)
    }
  }
}

/** When the last step is done: saves it, and goes over to measuring. */
async function finishIfDue(run: Run, trainee: Trainee, i: number): Promise<void> {
  if (isTraining(trainee)) return
  await saveTrainee(trainee)
  const trained = await readTrained(trainee)
  freeTrainee(trainee)
  const { features, batchSize } = trained.config
  const ranks = ranksOfFeatures(run.mesh, features, batchSize)
  const parts = createSaeParts(run.kernels, trained.arrays, trained.form, ranks)
  run.phases[i] = {
    name: 'measuring',
    trained,
    parts,
    meter: createSaeMeter(run.kernels, parts, run.mesh.features),
    next: trained.counters.batchesTaken,
  }
}

async function resampleIfNext({ stream }: Run, trainee: Trainee): Promise<void> {
  if (trainee.state.counters.batchesTaken === stream.position) await resampleIfDue(trainee, stream)
}

async function stepIfNext(trainee: Trainee, batch: Batch): Promise<void> {
  if (trainee.state.counters.batchesTaken === batch.index) await takeStep(trainee, batch)
}

/** Gives a batch to the autoencoders that are measured. */
async function measureEach(run: Run, batch: Batch): Promise<void> {
  for (const [i, phase] of run.phases.entries()) {
    if (phase.name !== 'measuring' || phase.next !== batch.index) continue
    const { trained, parts, meter } = phase
    await meter.add(batch)
    phase.next++
    const { measureTokens, batchSize } = trained.config
    if ((phase.next - trained.counters.batchesTaken) * batchSize < measureTokens) continue
    unloadSae(parts)
    run.phases[i] = { name: 'done', result: { ...trained, measured: meter.result() } }
  }
}

/** Shows how far training is, with the figures of one autoencoder or the range over several. */
function report(run: Run, { index }: Batch, batchSize: number): void {
  const figures = traineesOf(run).flatMap((trainee) => trainee.figures ?? [])
  if (figures.length === 0) return
  const shares = figures.flatMap(({ ofPeak }) => ofPeak ?? [])
  const range = (values: number[]): string =>
    [...new Set([Math.min(...values), Math.max(...values)].map((value) => value.toFixed(1)))].join('–')
  run.task.update((index + 1 - run.firstBatch) * batchSize, {
    L0: range(figures.map(({ l0 }) => l0)),
    EV: `${range(figures.map(({ explainedVariance }) => 100 * explainedVariance))}%`,
    ...(shares.length > 0 && { 'of peak': `${range(shares.map((share) => 100 * share))}%` }),
  })
}
