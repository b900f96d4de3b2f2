import type { Kernels, SaeActivation, SaeTensors, Tensor } from '../kernels/kernels.js'
import type { Random } from '../random/random.js'
import type { BatchStream } from './batch-stream.js'
import { readSae, rowNorm, type SaeArrays, writeSae } from './sae-params.js'

/*
 * Resampling of dead neurons, Bricken et al. 2023, appendix "Neuron Resampling":
 *   1. find the neurons that have not fired for a set number of tokens;
 *   2. compute the loss on a sample of inputs;
 *   3. give each input a probability proportional to the square of its loss;
 *   4. for each dead neuron pick an input: at unit norm it becomes the decoder row;
 *   5. the encoder row is the same direction at 0.2 times the mean norm of the alive neurons' encoder rows, the bias is 0;
 *   6. Adam's moments of every changed weight and bias start again from 0.
 * "The input" is taken as the encoder sees it, x - b_dec: with the raw x, every new row would point to the mean.
 * Inputs are drawn without replacement, so that no two neurons become the same; when fewer inputs
 * than dead neurons have any loss, the remaining neurons wait for the next time.
 */

/** Share of the mean alive encoder norm that a resampled encoder row gets. */
const encoderShare = 0.2

export interface ResampleState {
  params: SaeTensors
  m: SaeTensors
  v: SaeTensors
  /** [F] i32 */
  tokensSinceFired: Tensor
}

/** An input [D] drawn for a dead neuron, and its key: the largest keys win. */
interface Drawn {
  key: number
  input: Float32Array
}

/**
 * Resamples the features that have not fired for `deadAfterTokens` tokens, and starts their count anew.
 * @param tokens how many inputs to choose from (whole batches are taken from the stream)
 * @returns how many features were resampled
 */
export async function resampleDeadFeatures(
  kernels: Kernels,
  state: ResampleState,
  stream: BatchStream,
  options: {
    deadAfterTokens: number
    tokens: number
    activation: SaeActivation
    l1Coefficient: number
    random: Random
  },
): Promise<number> {
  const counts = (await kernels.read(state.tokensSinceFired)) as Int32Array
  const dead = [...counts.keys()].filter((j) => counts[j] >= options.deadAfterTokens)
  if (dead.length === 0) return 0
  const inputs = await drawInputs(kernels, state.params, stream, dead.length, options)
  const chosen = dead.slice(0, inputs.length)
  const params = await readSae(kernels, state.params)
  replaceFeatures(params, chosen, inputs, meanAliveEncoderNorm(params, new Set(dead)))
  writeSae(kernels, state.params, params)
  for (const moments of [state.m, state.v]) {
    const arrays = await readSae(kernels, moments)
    clearFeatures(arrays, chosen)
    writeSae(kernels, moments, arrays)
  }
  for (const j of chosen) counts[j] = 0
  kernels.write(state.tokensSinceFired, counts)
  return chosen.length
}

/**
 * Draws `count` inputs with probability proportional to the square of their loss, without replacement and in one pass:
 * the inputs with the largest log(u) / weight, u uniform (Efraimidis & Spirakis 2006, algorithm A-ES).
 */
export async function drawInputs(
  kernels: Kernels,
  params: SaeTensors,
  stream: BatchStream,
  count: number,
  options: { tokens: number; activation: SaeActivation; l1Coefficient: number; random: Random },
): Promise<Float32Array[]> {
  let drawn: Drawn[] = []
  const d = params.bDec.shape[0]
  for (let taken = 0; taken < options.tokens; ) {
    const x = await stream.next()
    const losses = await lossesOf(kernels, params, x, options)
    const rows = await kernels.readF32(x)
    const keys = Array.from(losses, (loss) => Math.log(1 - options.random.uniform()) / loss ** 2)
    const order = [...keys.keys()].filter((n) => losses[n] > 0).sort((a, b) => keys[b] - keys[a])
    for (const n of order.slice(0, count)) drawn.push({ key: keys[n], input: rows.slice(n * d, (n + 1) * d) })
    drawn = drawn.sort((a, b) => b.key - a.key).slice(0, count)
    taken += losses.length
  }
  return drawn.map(({ input }) => input)
}

/** ||x - x_hat||^2 + lambda ||f||_1 of each row of x. */
async function lossesOf(
  kernels: Kernels,
  params: SaeTensors,
  x: Tensor,
  { activation, l1Coefficient }: { activation: SaeActivation; l1Coefficient: number },
): Promise<Float64Array> {
  const xHat = kernels.zeros(x.shape)
  const squaredErrors = kernels.zeros([x.shape[0]])
  try {
    kernels.saeReconstruct(xHat, squaredErrors, params, x, activation)
    const losses = Float64Array.from(await kernels.readF32(squaredErrors))
    if (l1Coefficient === 0) return losses
    const { rowOffsets, values } = await kernels.saeEncode(params, x, activation)
    for (let n = 0; n < losses.length; n++)
      for (let i = rowOffsets[n]; i < rowOffsets[n + 1]; i++) losses[n] += l1Coefficient * values[i]
    return losses
  } finally {
    kernels.free(xHat)
    kernels.free(squaredErrors)
  }
}

function meanAliveEncoderNorm(params: SaeArrays, dead: Set<number>): number {
  const d = params.bDec.length
  const features = params.bEnc.length
  if (dead.size === features) return 1
  let sum = 0
  for (let j = 0; j < features; j++)
    if (!dead.has(j)) sum += rowNorm(params.wEnc.subarray(j * d, (j + 1) * d))
  return sum / (features - dead.size)
}

/** Steps 4 and 5 of the recipe, for feature chosen[i] with inputs[i]. */
function replaceFeatures(
  params: SaeArrays,
  chosen: readonly number[],
  inputs: readonly Float32Array[],
  meanAliveNorm: number,
): void {
  const { wEnc, bEnc, wDec, bDec } = params
  const d = bDec.length
  chosen.forEach((j, i) => {
    const direction = inputs[i].map((value, c) => value - bDec[c])
    const norm = rowNorm(direction)
    if (norm === 0) return
    for (let c = 0; c < d; c++) {
      wDec[j * d + c] = direction[c] / norm
      wEnc[j * d + c] = (encoderShare * meanAliveNorm * direction[c]) / norm
    }
    bEnc[j] = 0
  })
}

/** Step 6: the moments of what changed. b_dec is shared and did not change. */
function clearFeatures(moments: SaeArrays, chosen: readonly number[]): void {
  const d = moments.bDec.length
  for (const j of chosen) {
    moments.wEnc.fill(0, j * d, (j + 1) * d)
    moments.wDec.fill(0, j * d, (j + 1) * d)
    moments.bEnc[j] = 0
  }
}
