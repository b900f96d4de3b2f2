import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, SaeTensors } from '../kernels/kernels.js'

/** The parameters of an autoencoder as plain arrays, for what is done rarely. Layouts as in `SaeTensors`. */
export interface SaeArrays {
  /** [F, D] */
  wEnc: Float32Array
  /** [F] */
  bEnc: Float32Array
  /** [F, D] */
  wDec: Float32Array
  /** [D] */
  bDec: Float32Array
}

export const saeParamNames = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const

/** Shapes of the parameters, by name. */
export function saeShapes(features: number, d: number): Record<keyof SaeArrays, number[]> {
  return { wEnc: [features, d], bEnc: [features], wDec: [features, d], bDec: [d] }
}

/** Copies arrays into tensors. @throws MonosemError shape */
export function saeTensors(kernels: Kernels, arrays: SaeArrays, features: number, d: number): SaeTensors {
  const shapes = saeShapes(features, d)
  const make = (name: keyof SaeArrays) => {
    const expected = shapes[name].reduce((a, b) => a * b, 1)
    if (arrays[name].length !== expected)
      throw new MonosemError(
        'shape',
        `sae: expected ${name} [${shapes[name]}], got ${arrays[name].length} numbers`,
      )
    return kernels.tensor(arrays[name], shapes[name])
  }
  return { wEnc: make('wEnc'), bEnc: make('bEnc'), wDec: make('wDec'), bDec: make('bDec') }
}

/** All zero, as the moments of Adam start. */
export function zeroSaeTensors(kernels: Kernels, features: number, d: number): SaeTensors {
  const shapes = saeShapes(features, d)
  return {
    wEnc: kernels.zeros(shapes.wEnc),
    bEnc: kernels.zeros(shapes.bEnc),
    wDec: kernels.zeros(shapes.wDec),
    bDec: kernels.zeros(shapes.bDec),
  }
}

/** Reads all parameters back, once earlier operations are done. */
export async function readSae(kernels: Kernels, tensors: SaeTensors): Promise<SaeArrays> {
  const [wEnc, bEnc, wDec, bDec] = await Promise.all(
    saeParamNames.map((name) => kernels.readF32(tensors[name])),
  )
  return { wEnc, bEnc, wDec, bDec }
}

/** Replaces all parameters. */
export function writeSae(kernels: Kernels, tensors: SaeTensors, arrays: SaeArrays): void {
  for (const name of saeParamNames) kernels.write(tensors[name], arrays[name])
}

/** Gives the memory back. */
export function freeSae(kernels: Kernels, tensors: SaeTensors): void {
  for (const name of saeParamNames) kernels.free(tensors[name])
}

/**
 * Turns an autoencoder of scaled activations s x into the same autoencoder of raw activations x:
 *   x_hat = (W_dec ReLU(W_enc (s x - b_dec) + b_enc) + b_dec) / s
 *         = W_dec ReLU(W_enc (x - b_dec / s) + b_enc / s) + b_dec / s.
 * So both biases are divided by s, the weights stay (decoder rows keep unit norm), and features come in units of the
 * raw activations. TopK picks the same features, because s > 0 keeps the order.
 */
export function foldActivationScale(scaled: SaeArrays, s: number): SaeArrays {
  return { ...scaled, bEnc: scaled.bEnc.map((b) => b / s), bDec: scaled.bDec.map((b) => b / s) }
}

/** Overwrites every row of a matrix [rows, d] with a random direction at unit norm. */
export function fillUnitRows(out: Float32Array, d: number, normal: () => number): void {
  for (let start = 0; start < out.length; start += d) {
    const row = out.subarray(start, start + d)
    do for (let i = 0; i < d; i++) row[i] = normal()
    while (rowNorm(row) < 1e-6)
    const norm = rowNorm(row)
    for (let i = 0; i < d; i++) row[i] /= norm
  }
}

/** L2 norm, summed in double precision. */
export function rowNorm(row: Float32Array): number {
  let sum = 0
  for (const value of row) sum += value * value
  return Math.sqrt(sum)
}
