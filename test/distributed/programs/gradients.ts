// Run by several ranks: a few steps of every case on a mesh (first argument: feature ranks x data ranks, say 2x2), with gradients that cross
// in the number format of the second argument. Rank 0 does the same alone, and prints how far apart they are.
import { createMesh, type Mesh, singleMesh, sliceOf } from '../../../src/distributed/mesh.js'
import { openMpi } from '../../../src/distributed/mpi.js'
import { gatherValues } from '../../../src/distributed/values.js'
import type { Codes, Kernels, SaeStepStats, SaeTensors, Tensor } from '../../../src/kernels/kernels.js'
import { createNativeKernels } from '../../../src/kernels/native.js'
import { saeRanksOf } from '../../../src/sae/sae-ranks.js'
import { type Content, readAll, seedOf } from '../../kernels/parity-case.js'
import { RandomTensors } from '../../kernels/random-tensors.js'
import { trainingOf } from '../../kernels/sae-setup.js'
import { type StepCase, stepCases } from '../step-cases.js'

const STEPS = 5

/** What a case leaves behind on one rank. */
interface Trained {
  /** rows of this rank's features */
  own: Record<string, Content>
  /** what every rank has: b_dec, W_skip, their moments, `running` */
  shared: Record<string, Content>
  /** of every step, without times */
  stats: Record<string, number>[]
}

/** What a test is told of a case. */
export interface CaseResult {
  name: string
  /** largest difference from one rank, as a part of the largest magnitude, and in what */
  difference: number
  differsIn: string
  /** whether ranks with the same features, and shared tensors and statistics on all ranks, have the same bits */
  identical: boolean
  /** bytes a step that rank 0 sent to those with the same features */
  bytes: number
  /** features by the data ranks on whose rows they fire at first: on those of all, of some, of none */
  fires: [number, number, number]
  /** features that fire on any row of a step, on average */
  active: number
}

const { communicator: world, finalize } = openMpi()
const [featureRanks, dataRanks] = process.argv[2].split('x').map(Number)
const gradients = process.argv[3] === 'bf16' ? 'bf16' : 'f32'
const mesh = await createMesh(world, { featureRanks, dataRanks })
// other numbers of threads on other ranks: they must not change a bit
const kernels = createNativeKernels({ threads: 1 + (world.rank % 2) })
const results: CaseResult[] = []
for (const one of stepCases) {
  const before = mesh.data.traffic().bytes
  const trained = await train(kernels, one, mesh)
  const bytes = (mesh.data.traffic().bytes - before) / STEPS
  const all = await gatherValues(world, trained)
  if (all === null) continue
  const codes: Codes[] = []
  const alone = await train(kernels, one, singleMesh, async (params, x) => {
    codes.push(await kernels.saeEncode(params, x, one.options.form, null))
  })
  results.push({
    name: one.name,
    ...compare(alone, all),
    identical: isIdentical(all),
    bytes,
    fires: fires(one, codes[0]),
    active: codes.reduce((sum, { featureIds }) => sum + new Set(featureIds).size, 0) / STEPS,
  })
}
if (world.rank === 0) console.log(JSON.stringify(results))
finalize()

/** Parameters of the whole autoencoder. */
function draw(k: Kernels, random: RandomTensors, { layout, lowered = 0 }: StepCase): SaeTensors {
  const params = random.sae(layout)
  const less = k.zeros([layout.features])
  k.fill(less, -lowered)
  k.addInPlace(params.bEnc, less)
  return params
}

/** @param watch sees the parameters and the rows of every step before it */
async function train(
  k: Kernels,
  one: StepCase,
  { features, data }: Mesh,
  watch: (params: SaeTensors, x: Tensor) => Promise<void> = async () => {},
): Promise<Trained> {
  const { layout, rows, options } = one
  const { features: f, d, dOut = d, skip } = layout
  const random = new RandomTensors(k, seedOf(one.name))
  const ranks = saeRanksOf({ world, features, data }, f, rows, gradients)
  const [ownFeatures, ownRows] = [sliceOf(f, features), sliceOf(rows, data)]
  const part = (key: string, t: Tensor): Tensor =>
    isShared(key) ? t : k.rows(t, ownFeatures.first, ownFeatures.count)
  const partOf = (sae: SaeTensors): SaeTensors =>
    Object.fromEntries(Object.entries(sae).map(([key, t]) => [key, part(key, t)])) as unknown as SaeTensors
  const params = draw(k, random, one)
  const training = {
    ...trainingOf(k, partOf(params)),
    m: partOf(random.moments(params, -0.2, 0.2)),
    v: partOf(random.moments(params, 0.01, 1)),
    tokensSinceFired: part('tokensSinceFired', random.ints([f], 0, 1000)),
  }
  const stats: Trained['stats'] = []
  for (let step = 1; step <= STEPS; step++) {
    const batch = async (width: number): Promise<Tensor> =>
      k.rows(await spoil(k, random.signed([rows, width], 2), one.badRows), ownRows.first, ownRows.count)
    const x = await batch(d)
    const y = skip ? await batch(dOut) : x
    await watch(training.params, x)
    const adam = { learningRate: 0.02, beta1: 0.8, beta2: 0.95, epsilon: 1, weightDecay: 0.01, step }
    stats.push(withoutTimes(await k.saeStep(training, x, y, { ...options, adam, ranks })))
  }
  const tensors: Record<string, Tensor> = { tokensSinceFired: training.tokensSinceFired }
  tensors.running = k.rows(training.running, 0, 2)
  for (const name of ['params', 'm', 'v'] as const)
    for (const [key, t] of Object.entries(training[name])) tensors[`${name}.${key}`] = t
  const entries = Object.entries(await readAll(k, tensors))
  return {
    own: Object.fromEntries(entries.filter(([key]) => !isShared(key))),
    shared: Object.fromEntries(entries.filter(([key]) => isShared(key))),
    stats,
  }
}

/** NaN in some rows. */
async function spoil(k: Kernels, x: Tensor, rows: readonly number[] = []): Promise<Tensor> {
  const values = await k.readF32(x)
  for (const row of rows) values[row * x.shape[1]] = NaN
  return k.tensor(values, x.shape)
}

function isShared(key: string): boolean {
  return /bDec|wSkip|running/.test(key)
}

function withoutTimes({
  precision,
  scanned,
  encodeMs,
  decodeMs,
  updateMs,
  ...numbers
}: SaeStepStats): Record<string, number> {
  return numbers
}

function isIdentical(all: Trained[]): boolean {
  return all.every(
    ({ own, shared, stats }, rank) =>
      sameBits(own, all[rank % featureRanks].own) &&
      sameBits(shared, all[0].shared) &&
      JSON.stringify(stats) === JSON.stringify(all[0].stats),
  )
}

function sameBits(a: Record<string, Content>, b: Record<string, Content>): boolean {
  const bytes = (t: Content): Buffer => Buffer.from(t.buffer, t.byteOffset, t.byteLength)
  return Object.entries(a).every(([key, t]) => bytes(t).equals(bytes(b[key])))
}

/** The largest difference of any tensor or statistic of one rank alone from those of the first replica, put together. */
function compare(alone: Trained, all: Trained[]): { difference: number; differsIn: string } {
  const found = { difference: 0, differsIn: '' }
  const judge = (name: string, want: ArrayLike<number>, got: ArrayLike<number>): void => {
    // moments start at this size: a gradient that nearly cancels out is judged beside it
    const scale = Math.max(0.1, ...Array.from(want, Math.abs))
    for (let i = 0; i < want.length; i++) {
      const difference = Math.abs(got[i] - want[i]) / scale
      if (difference > found.difference || Number.isNaN(difference))
        Object.assign(found, { difference, differsIn: name })
    }
  }
  for (const [key, want] of Object.entries(alone.own))
    judge(
      key,
      want,
      all.slice(0, featureRanks).flatMap(({ own }) => [...own[key]]),
    )
  for (const [key, want] of Object.entries(alone.shared)) judge(key, want, all[0].shared[key])
  for (const [step, stats] of alone.stats.entries())
    for (const [key, want] of Object.entries(stats))
      judge(`${key} of step ${step + 1}`, [want], [all[0].stats[step][key]])
  return found
}

function fires({ rows, layout }: StepCase, { rowOffsets, featureIds }: Codes): CaseResult['fires'] {
  const on = Array.from({ length: layout.features }, () => new Set<number>())
  for (let rank = 0; rank < dataRanks; rank++) {
    const { first, count } = sliceOf(rows, { rank, size: dataRanks })
    for (const id of featureIds.subarray(rowOffsets[first], rowOffsets[first + count])) on[id].add(rank)
  }
  const counted = (fits: (ranks: number) => boolean): number => on.filter(({ size }) => fits(size)).length
  return [counted((n) => n === dataRanks), counted((n) => n > 0 && n < dataRanks), counted((n) => n === 0)]
}
