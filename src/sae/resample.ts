import { type Communicator, singleRank } from '../distributed/communicator.js'
import { type Mesh, singleMesh } from '../distributed/mesh.js'
import { allGatherValues } from '../distributed/values.js'
import type { Kernels, SaeForm, SaeTensors, SaeTraining } from '../kernels/kernels.js'
import type { Random } from '../random/random.js'
import type { FeatureStart } from './architectures/architecture.js'
import type { Batch } from './batch-stream.js'
import { readSae, rowNorm, type SaeArrays, writeSae } from './sae-params.js'
import { saeRanksOf } from './sae-ranks.js'

/*
 * Resampling of dead neurons, Bricken et al. 2023, appendix "Neuron Resampling":
 *   1. find the neurons that have not fired for a set number of tokens;
 *   2. compute the loss on a sample of inputs;
 *   3. give each input a probability proportional to the square of its loss;
 *   4. for each dead neuron pick an input: at unit norm it becomes the decoder row;
 *   5. the encoder row is the same direction at 0.2 times the mean norm of the alive neurons' encoder rows, the bias is 0;
 *   6. Adam's moments of every changed weight and bias start again from 0.
 * "The input" is taken without its mean, as x - b_dec: with the raw x, every new row would point to the mean. Where the encoder does
 * not subtract b_dec, the bias does. A transcoder's decoder row is y - b_dec, and its encoder row is x.
 * Inputs are drawn without replacement, so that no two neurons become the same; when fewer inputs
 * than dead neurons have any loss, the remaining neurons wait for the next time.
 * The sample is what training is going to see next: it is looked at, not used up, so that autoencoders that share a stream of
 * activations do not disturb each other.
 *
 * Where the features are spread over ranks, all ranks see the same losses and draw the same inputs with the same random numbers. The i-th input is for
 * the i-th dead feature in the order of the ranks, which is that of the features, and each rank changes its own. Replicas, with the same features and other
 * tokens in training, see the whole sample here and do the same.
 */

/** Share of the mean alive encoder norm that a resampled encoder row gets. */
const encoderShare = 0.2

/** What resampling changes. */
export interface ResampleState
  extends Pick<SaeTraining, 'params' | 'm' | 'v' | 'packed' | 'tokensSinceFired'> {
  average: SaeTensors | null
}

export interface ResampleOptions {
  deadAfterTokens: number
  form: SaeForm
  /** weight of ||f||_1 in the loss that inputs are drawn by */
  l1Coefficient: number
  /** whether decoder rows have norm 1; else new ones get the mean norm of those of alive features */
  unitNormDecoder: boolean
  /** what a feature has besides directions and bias */
  featureStart: FeatureStart
  /** in the same state on all ranks */
  random: Random
  /** the ranks that train it; `state` holds the features of this one. Default: one rank with all */
  mesh?: Mesh
}

/** An input and its target drawn for a dead neuron, and its key: the largest keys win. */
interface Drawn {
  key: number
  /** [D] */
  x: Float32Array
  /** [Dout], null where it is x */
  y: Float32Array | null
}

/**
 * Resamples the features that have not fired for `deadAfterTokens` tokens, and starts their count anew. All ranks call it.
 * @param batches the inputs to choose from, whole on every rank; they are read only when something is dead
 * @returns how many features were resampled, on all ranks together
 */
export async function resampleDeadFeatures(
  kernels: Kernels,
  state: ResampleState,
  batches: AsyncIterable<Batch>,
  options: ResampleOptions,
): Promise<number> {
  const { features } = options.mesh ?? singleMesh
  const counts = (await kernels.read(state.tokensSinceFired)) as Int32Array
  const dead = [...counts.keys()].filter((j) => counts[j] >= options.deadAfterTokens)
  const deadOnRanks = await allGatherValues(features, dead.length)
  const before = sum(deadOnRanks.slice(0, features.rank))
  const allDead = sum(deadOnRanks)
  if (allDead === 0) return 0
  const drawn = await drawInputs(kernels, state, batches, allDead, options)
  const own = drawn.slice(before, before + dead.length)
  const chosen = dead.slice(0, own.length)
  const params = await readSae(kernels, state.params)
  const norms = await newNorms(params, new Set(dead), options)
  const replaced = replaceFeatures(params, chosen, own, norms, options)
  writeSae(kernels, state.params, params)
  kernels.saeRepack(state.packed, state.params.wEnc)
  for (const moments of [state.m, state.v])
    await edit(kernels, moments, (arrays) => {
      for (const j of replaced) setFeature(arrays, j, null)
    })
  if (state.average)
    await edit(kernels, state.average, (arrays) => {
      for (const j of replaced) setFeature(arrays, j, params)
    })
  for (const j of chosen) counts[j] = 0
  kernels.write(state.tokensSinceFired, counts)
  return drawn.length
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

async function edit(
  kernels: Kernels,
  tensors: SaeTensors,
  change: (arrays: SaeArrays) => void,
): Promise<void> {
  const arrays = await readSae(kernels, tensors)
  change(arrays)
  writeSae(kernels, tensors, arrays)
}

/**
 * Draws `count` inputs with probability proportional to the square of their loss, without replacement and in one pass:
 * the inputs with the largest log(u) / weight, u uniform (Efraimidis & Spirakis 2006, algorithm A-ES). Inputs that are not finite are
 * left out.
 */
export async function drawInputs(
  kernels: Kernels,
  state: Pick<ResampleState, 'params' | 'packed'>,
  batches: AsyncIterable<Batch>,
  count: number,
  options: Pick<ResampleOptions, 'form' | 'l1Coefficient' | 'random' | 'mesh'>,
): Promise<Drawn[]> {
  let drawn: Drawn[] = []
  for await (const batch of batches) {
    const losses = await lossesOf(kernels, state, batch, options)
    const x = await kernels.readF32(batch.x)
    const y = batch.y === batch.x ? null : await kernels.readF32(batch.y)
    const [d, dOut] = [batch.x.shape[1], batch.y.shape[1]]
    const keys = Array.from(losses, (loss) => Math.log(1 - options.random.uniform()) / loss ** 2)
    const order = [...keys.keys()]
      .filter((n) => losses[n] > 0 && losses[n] < Number.POSITIVE_INFINITY)
      .sort((a, b) => keys[b] - keys[a])
    for (const n of order.slice(0, count))
      drawn.push({
        key: keys[n],
        x: x.slice(n * d, (n + 1) * d),
        y: y === null ? null : y.slice(n * dOut, (n + 1) * dOut),
      })
    drawn = drawn.sort((a, b) => b.key - a.key).slice(0, count)
  }
  return drawn
}

/** ||y - y_hat||^2 + lambda ||f||_1 of each row. */
async function lossesOf(
  kernels: Kernels,
  { params, packed }: Pick<ResampleState, 'params' | 'packed'>,
  { x, y }: Batch,
  { form, l1Coefficient, mesh = singleMesh }: Pick<ResampleOptions, 'form' | 'l1Coefficient' | 'mesh'>,
): Promise<Float64Array> {
  const { features } = mesh
  const [total] = await features.sum([params.wEnc.shape[0]])
  const ranks = saeRanksOf({ ...mesh, data: singleRank }, total, x.shape[0])
  const yHat = kernels.zeros(y.shape)
  const squaredErrors = kernels.zeros([x.shape[0]])
  try {
    kernels.saeReconstruct(yHat, squaredErrors, params, x, y, form, packed, ranks)
    const losses = Float64Array.from(await kernels.readF32(squaredErrors))
    if (l1Coefficient === 0) return losses
    // the first rank adds the squared error, which all of them know
    if (features.rank > 0) losses.fill(0)
    const { rowOffsets, values } = await kernels.saeEncode(params, x, form, packed, ranks)
    for (let n = 0; n < losses.length; n++)
      for (let i = rowOffsets[n]; i < rowOffsets[n + 1]; i++) losses[n] += l1Coefficient * values[i]
    return await features.sum(losses)
  } finally {
    kernels.free(yHat)
    kernels.free(squaredErrors)
  }
}

interface NewNorms {
  encoder: number
  decoder: number
}

/** Norms of the new rows. @param dead the dead features of this rank */
async function newNorms(
  { wEnc, bEnc, wDec, bDec }: SaeArrays,
  dead: Set<number>,
  { unitNormDecoder, mesh = singleMesh }: ResampleOptions,
): Promise<NewNorms> {
  const { features } = mesh
  return {
    encoder: encoderShare * (await meanAliveNorm(features, wEnc, wEnc.length / bEnc.length, dead)),
    decoder: unitNormDecoder ? 1 : await meanAliveNorm(features, wDec, bDec.length, dead),
  }
}

/** Mean norm of the rows [Fr, width] of the features that are alive on any rank; 1 when none is. */
async function meanAliveNorm(
  ranks: Communicator,
  matrix: Float32Array,
  width: number,
  dead: Set<number>,
): Promise<number> {
  const features = matrix.length / width
  let ownNorms = 0
  for (let j = 0; j < features; j++)
    if (!dead.has(j)) ownNorms += rowNorm(matrix.subarray(j * width, (j + 1) * width))
  const [norms, alive] = await ranks.sum([ownNorms, features - dead.size])
  return alive === 0 ? 1 : norms / alive
}

/** Steps 4 and 5 of the recipe, for feature chosen[i] with drawn[i]. Returns the features that changed. */
function replaceFeatures(
  params: SaeArrays,
  chosen: readonly number[],
  drawn: readonly Drawn[],
  newNorms: NewNorms,
  options: ResampleOptions,
): number[] {
  const { wEnc, bEnc, wDec, bDec } = params
  const changed: number[] = []
  chosen.forEach((j, i) => {
    const { x, y } = drawn[i]
    const target = (y ?? x).map((value, c) => value - bDec[c])
    const direction = y === null ? target : x
    const norms = [rowNorm(direction), rowNorm(target)]
    if (norms.includes(0)) return
    const encoder = direction.map((value) => (newNorms.encoder * value) / norms[0])
    wEnc.set(encoder, j * encoder.length)
    wDec.set(
      target.map((value) => (newNorms.decoder * value) / norms[1]),
      j * target.length,
    )
    const subtracts = y !== null || options.form.subtractDecoderBias
    bEnc[j] = subtracts ? 0 : -encoder.reduce((sum, value, c) => sum + value * bDec[c], 0)
    for (const name of ['threshold', 'rMag', 'bMag'] as const)
      if (params[name]) params[name][j] = options.featureStart[name] as number
    changed.push(j)
  })
  return changed
}

/** Step 6: what belongs to a feature becomes that of another autoencoder, or 0. b_dec and a skip connection are shared and stay. */
function setFeature(arrays: SaeArrays, j: number, from: SaeArrays | null): void {
  const features = arrays.bEnc.length
  for (const name of ['wEnc', 'bEnc', 'wDec', 'threshold', 'rMag', 'bMag'] as const) {
    const to = arrays[name]
    if (!to) continue
    const width = to.length / features
    if (from) to.set(from[name]!.subarray(j * width, (j + 1) * width), j * width)
    else to.fill(0, j * width, (j + 1) * width)
  }
}
