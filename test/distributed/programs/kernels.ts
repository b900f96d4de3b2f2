// Run by several ranks that share the features of an autoencoder: codes and reconstructions of every form, steps in low precision, and the bytes of a
// step. Rank 0 does the same alone, and prints what differs.
import { singleRank } from '../../../src/distributed/communicator.js'
import { type Mesh, singleMesh, sliceOf } from '../../../src/distributed/mesh.js'
import { openMpi } from '../../../src/distributed/mpi.js'
import { gatherValues } from '../../../src/distributed/values.js'
import type {
  Codes,
  Kernels,
  SaeActivation,
  SaePrecision,
  SaeRanks,
  SaeStepOptions,
  SaeTensors,
  Tensor,
} from '../../../src/kernels/kernels.js'
import { createNativeKernels } from '../../../src/kernels/native.js'
import { saeRanksOf } from '../../../src/sae/sae-ranks.js'
import { readAll, seedOf } from '../../kernels/parity-case.js'
import { likeSae, RandomTensors, type SaeLayout } from '../../kernels/random-tensors.js'
import { trainingOf } from '../../kernels/sae-setup.js'
import { separatedSae } from '../../kernels/separated-sae.js'

/** An autoencoder and what it reads. */
interface Reading {
  name: string
  layout: SaeLayout & { activation: SaeActivation }
  n: number
  precision: SaePrecision
}

/** What a test is told of a reading; arrays are of the ranks together, so that they can be compared with one rank's. */
export interface ReadingResult {
  name: string
  /** whether all ranks' codes, put together, are those of one rank to the bit */
  sameCodes: boolean
  entries: number
  /** whether every rank has the same reconstruction and the same losses */
  identical: boolean
  /** largest difference from one rank's reconstruction, as a part of its largest magnitude; of decoding alone, and of both in one */
  difference: number
}

export interface StepResult {
  name: string
  /** what encoding was granted */
  precision: SaePrecision
  difference: number
  differsIn: string
  /** whether b_dec and `running` have the same bits on all ranks */
  identical: boolean
  /** whether another number of threads gives the same bits */
  repeatable: boolean
  /** bytes a step that this rank sent */
  bytes: number
  /** what candidates, thresholds and reconstructions should be */
  predicted: number
}

/** What rank 0 prints. */
export interface KernelsResult {
  readings: ReadingResult[]
  steps: StepResult[]
  stopped: BadRowsResult
}

const { communicator: world, finalize } = openMpi()
const STEPS = 3
const one = { rank: 0, size: 1 }
const [kernels, moreThreads] = [1, 3].map((threads) => createNativeKernels({ threads }))
const readings = await eachOf(readingCases(), read)
const steps = await eachOf(stepCases(), step)
const stopped = await badRows()
if (world.rank === 0) console.log(JSON.stringify({ readings, steps, stopped }))
finalize()

/** One after the other; what rank 0 found. */
async function eachOf<T, R>(items: readonly T[], what: (item: T) => Promise<R | null>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) {
    const result = await what(item)
    if (result !== null) results.push(result)
  }
  return results
}

function readingCases(): Reading[] {
  const activations: SaeActivation[] = [
    { kind: 'relu' },
    { kind: 'jumprelu' },
    { kind: 'gated' },
    // of 65 features a rank has 32 or fewer
    ...[1, 3, 40, 65].flatMap((k) => [{ kind: 'topk', k } as const, { kind: 'batchtopk', k } as const]),
  ]
  const small = activations.map((activation) => ({
    name: `${activation.kind} ${'k' in activation ? activation.k : ''}`,
    layout: { features: 65, d: 5, activation },
    n: 37,
    precision: 'fp32' as const,
  }))
  const precise = (['fp32', 'bf16', 'int8'] as const).flatMap((precision) =>
    [{ kind: 'topk', k: 4 } as const, { kind: 'batchtopk', k: 4 } as const, { kind: 'relu' } as const].map(
      (activation) => ({
        name: `${activation.kind} in ${precision}`,
        layout: { features: 257, d: 512, activation },
        n: 50,
        precision,
      }),
    ),
  )
  const odd = [
    {
      name: 'topk of one row',
      layout: { features: 7, d: 3, activation: { kind: 'topk', k: 2 } as const },
      n: 1,
    },
    {
      name: 'transcoder with skip',
      layout: { features: 40, d: 9, dOut: 13, skip: true, activation: { kind: 'topk', k: 3 } as const },
      n: 11,
    },
  ]
  const ties = small
    .filter(({ layout }) => 'k' in layout.activation)
    .map((c) => ({ ...c, name: `${c.name}, ties`, layout: { ...c.layout, d: 1 } }))
  return [...small, ...ties, ...precise, ...odd.map((c) => ({ ...c, precision: 'fp32' as const }))]
}

/** An autoencoder and a batch. At width 512 they are made for rounding; at width 1 most activations of a row are equal to others. */
function draw(k: Kernels, { name, layout, n }: Pick<Reading, 'name' | 'layout' | 'n'>) {
  const random = new RandomTensors(k, seedOf(name))
  if (layout.d === 512) return separatedSae(k, seedOf(name), layout, n, true)
  const params = random.sae(layout)
  if (layout.d === 1) k.fill(params.bEnc, 0)
  return { params, x: random.eighths([n, layout.d], 2) }
}

/** The rows of a rank's features; b_dec and W_skip are everyone's. */
function partOf(k: Kernels, sae: SaeTensors, of: typeof one): SaeTensors {
  const { first, count } = sliceOf(sae.wEnc.shape[0], of)
  const entries = Object.entries(sae).map(([key, t]: [string, Tensor]) => [
    key,
    key === 'bDec' || key === 'wSkip' ? t : k.rows(t, first, count),
  ])
  return Object.fromEntries(entries) as SaeTensors
}

function ranksFor(features: number, n: number): SaeRanks | undefined {
  return saeRanksOf({ world, features: world, data: singleRank }, features, n)
}

/** Rows with NaN on one rank, when the ranks share rows: what every rank is told, and whether nothing changed anywhere. */
export interface BadRowsResult {
  badRows: number[]
  skippedRows: number[]
  unchanged: boolean
}

async function badRows(): Promise<BadRowsResult | null> {
  const k = kernels
  const [n, layout] = [10, { features: 9, d: 4, activation: { kind: 'topk', k: 2 } as const }]
  const { params, x: batch } = draw(k, { name: 'bad rows', layout, n })
  const bad = await spoil(k, batch, [6, 8])
  const { first, count } = sliceOf(n, world)
  const x = k.rows(bad, first, count)
  const training = trainingOf(k, params)
  const before = await readAll(k, params as unknown as Record<string, Tensor>)
  const { badRow, skippedRows } = await k.saeStep(training, x, x, {
    form: { activation: layout.activation, subtractDecoderBias: true },
    sparsity: { kind: 'none' },
    adam: { learningRate: 1, beta1: 0.9, beta2: 0.99, epsilon: 1, weightDecay: 0, step: 1 },
    unitNormDecoder: false,
    ranks: saeRanksOf({ ...singleMesh, world, data: world }, layout.features, n),
  })
  const unchanged = sameBits(before, await readAll(k, params as unknown as Record<string, Tensor>))
  const all = await gatherValues(world, { badRow, skippedRows, unchanged })
  return (
    all && {
      badRows: all.map((rank) => rank.badRow),
      skippedRows: all.map((rank) => rank.skippedRows),
      unchanged: all.every((rank) => rank.unchanged),
    }
  )
}

interface Found {
  codes: Codes
  decoded: Float32Array
  reconstructed: Float32Array
  losses: Float32Array
}

async function readWith(k: Kernels, reading: Reading, of: typeof one, ranks?: SaeRanks): Promise<Found> {
  const { params: all, x } = draw(k, reading)
  const { layout, n, precision } = reading
  const { activation, d, dOut = d } = layout
  const params = partOf(k, all, of)
  const form = { activation, subtractDecoderBias: d === dOut }
  const packed = k.saePack(params.wEnc, precision, null)
  const codes = await k.saeEncode(params, x, form, packed, ranks)
  const [decoded, reconstructed, losses] = [k.zeros([n, dOut]), k.zeros([n, dOut]), k.zeros([n])]
  k.saeDecode(decoded, params, codes, x, ranks)
  // without packed weights of its own
  k.saeReconstruct(reconstructed, losses, params, x, d === dOut ? x : decoded, form, null, ranks)
  k.saeFreePacked(packed)
  return {
    codes,
    decoded: await k.readF32(decoded),
    reconstructed: await k.readF32(reconstructed),
    losses: await k.readF32(losses),
  }
}

async function read(reading: Reading): Promise<ReadingResult | null> {
  const { features } = reading.layout
  const all = await gatherValues(
    world,
    await readWith(kernels, reading, world, ranksFor(features, reading.n)),
  )
  if (all === null) return null
  const want = await readWith(kernels, reading, one)
  const joined = joinCodes(
    all.map(({ codes }) => codes),
    features,
  )
  return {
    name: reading.name,
    sameCodes: sameBits(joined, want.codes),
    entries: want.codes.values.length,
    identical: all.every(({ codes: _, ...rest }) => {
      const { codes: __, ...first } = all[0]
      return sameBits(rest, first)
    }),
    difference: Math.max(
      farthest(want.decoded, all[0].decoded),
      farthest(want.reconstructed, all[0].reconstructed),
      farthest(want.losses, all[0].losses),
    ),
  }
}

/** Codes of all features from those of the ranks, whose ids count from their own first feature. */
function joinCodes(parts: readonly Codes[], features: number): Codes {
  const rows = parts[0].rowOffsets.length - 1
  const [rowOffsets, featureIds, values] = [[0], [] as number[], [] as number[]]
  for (let n = 0; n < rows; n++) {
    for (const [rank, codes] of parts.entries()) {
      const { first } = sliceOf(features, { rank, size: parts.length })
      for (let i = codes.rowOffsets[n]; i < codes.rowOffsets[n + 1]; i++) {
        featureIds.push(first + codes.featureIds[i])
        values.push(codes.values[i])
      }
    }
    rowOffsets.push(featureIds.length)
  }
  return {
    rowOffsets: Int32Array.from(rowOffsets),
    featureIds: Int32Array.from(featureIds),
    values: Float32Array.from(values),
  }
}

interface StepCase extends Reading {
  /** what the ranks share. Default: features */
  share?: 'rows'
  /** with NaN, to be skipped */
  badRows?: readonly number[]
  options: Omit<SaeStepOptions, 'adam' | 'form' | 'ranks'>
}

function stepCases(): StepCase[] {
  const options: StepCase['options'] = { sparsity: { kind: 'none' }, unitNormDecoder: true }
  const topk = { kind: 'topk', k: 4 } as const
  const batchtopk = { kind: 'batchtopk', k: 4 } as const
  const precise = (['bf16', 'int8'] as const).flatMap((precision) =>
    [topk, batchtopk].map((activation) => ({
      name: `${activation.kind} in ${precision}`,
      layout: { features: 257, d: 512, activation },
      n: 50,
      precision,
      options,
    })),
  )
  const large = [topk, batchtopk].map((activation) => ({
    name: `${activation.kind}, traffic`,
    layout: { features: 1024, d: 128, activation: { ...activation, k: 32 } },
    n: 1024,
    precision: 'fp32' as const,
    options,
  }))
  const ties = {
    name: 'batchtopk, ties',
    layout: { features: 65, d: 1, activation: { kind: 'batchtopk', k: 3 } as const },
    n: 37,
    precision: 'fp32' as const,
    options,
  }
  const rows = { ...ties, name: 'batchtopk, ties between rows', share: 'rows' as const }
  // the first of two or three ranks has no row left
  const few = { ...rows, name: 'batchtopk, a rank without rows', n: 5, badRows: [0, 1, 2] }
  return [...precise, ...large, ties, rows, few]
}

/** NaN in some rows. */
async function spoil(k: Kernels, x: Tensor, rows: readonly number[] = []): Promise<Tensor> {
  const values = await k.readF32(x)
  for (const row of rows) values[row * x.shape[1]] = NaN
  return k.tensor(values, x.shape)
}

/** A few steps on a rank of a mesh. */
async function train(k: Kernels, mesh: Mesh, { layout, options, ...which }: StepCase) {
  const { params: all, x: clean } = draw(k, { layout, ...which })
  const batch = await spoil(k, clean, which.badRows)
  const ownRows = sliceOf(which.n, mesh.data)
  const x = k.rows(batch, ownRows.first, ownRows.count)
  const ranks = saeRanksOf(mesh, layout.features, which.n)
  const random = new RandomTensors(k, seedOf(which.name))
  const params = partOf(k, all, mesh.features)
  const moments = random.moments(all, 0.01, 1)
  const training = {
    ...trainingOf(k, params),
    packed: k.saePack(params.wEnc, which.precision, null),
    m: likeSae(params, (shape) => k.zeros(shape)),
    v: partOf(k, moments, mesh.features),
  }
  const form = { activation: layout.activation, subtractDecoderBias: true }
  const stats: Record<string, number>[] = []
  let granted = which.precision
  for (let i = 0; i < STEPS; i++) {
    // int8 checks its recall on every 8th step
    const adam = {
      learningRate: 0.01,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1,
      weightDecay: 0,
      step: 8 * (i + 1),
    }
    const found = await k.saeStep(training, x, x, { ...options, form, adam, ranks, badRows: 'skip' })
    const { precision, scanned: ____, encodeMs: _, decodeMs: __, updateMs: ___, ...numbers } = found
    granted = precision
    stats.push(numbers)
  }
  const { bDec, ...own } = params
  const { running, tokensSinceFired } = training
  return {
    own: await readAll(k, { ...own, tokensSinceFired } as Record<string, Tensor>),
    shared: await readAll(k, { bDec, running }),
    stats,
    precision: granted,
  }
}

async function step(which: StepCase): Promise<StepResult | null> {
  const { name, layout, n, share } = which
  const mesh: Mesh = { ...singleMesh, world, [share === 'rows' ? 'data' : 'features']: world }
  const before = world.traffic().bytes
  const trained = await train(kernels, mesh, which)
  const bytes = (world.traffic().bytes - before) / STEPS
  const again = await train(moreThreads, mesh, which)
  const all = await gatherValues(world, { ...trained, repeatable: sameBits(trained, again) })
  if (all === null) return null
  const want = await train(kernels, singleMesh, which)
  const withFeatures = share === 'rows' ? all.slice(0, 1) : all
  const farther = (a: [string, number], b: [string, number]): [string, number] => (b[1] > a[1] ? b : a)
  const ofTensors = Object.entries(want.own).map(([key, t]): [string, number] => [
    key,
    farthest(
      t,
      withFeatures.flatMap(({ own }) => [...own[key]]),
    ),
  ])
  const ofShared = Object.entries(want.shared).map(([key, t]): [string, number] => [
    key,
    farthest(t, all[0].shared[key]),
  ])
  const ofStats = want.stats.flatMap((numbers, i) =>
    Object.entries(numbers).map(([key, value]): [string, number] => [
      `${key} of step ${i + 1}`,
      farthest([value], [all[0].stats[i][key]]),
    ]),
  )
  const [differsIn, difference] = [...ofTensors, ...ofShared, ...ofStats].reduce(farther)
  return {
    name,
    precision: trained.precision,
    difference,
    differsIn,
    identical: all.every((rank) => sameBits([rank.shared, rank.stats], [all[0].shared, all[0].stats])),
    repeatable: all.every(({ repeatable }) => repeatable),
    bytes,
    predicted: predictedBytes(layout, n, world.size),
  }
}

/** Bytes that one of R ranks sends in a step. */
function predictedBytes({ activation, d }: StepCase['layout'], n: number, ranks: number): number {
  const others = (ranks - 1) / ranks
  const candidates = activation.kind === 'topk' ? (n * activation.k * 8 + 8 * n) * others : 0
  // histograms of the bits of activations, in three rounds of 2,048, 1,024 and 1,024 counts
  const counts = activation.kind === 'batchtopk' ? 2 * 4096 * 8 * others : 0
  return candidates + counts + 2 * n * d * 4 * others
}

/** Compares typed arrays and numbers in anything, to the bit. */
function sameBits(a: unknown, b: unknown): boolean {
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b))
    return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
      Buffer.from(b.buffer, b.byteOffset, b.byteLength),
    )
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => sameBits((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  )
}

/** The largest difference as a part of the largest magnitude. */
function farthest(want: ArrayLike<number>, got: ArrayLike<number>): number {
  let [difference, scale] = [want.length === got.length ? 0 : Infinity, 1e-3]
  for (let i = 0; i < want.length; i++) {
    scale = Math.max(scale, Math.abs(want[i]))
    difference = Number.isNaN(got[i]) ? Infinity : Math.max(difference, Math.abs(got[i] - want[i]))
  }
  return difference / scale
}
