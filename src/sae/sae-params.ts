import { setImmediate } from 'node:timers/promises'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, SaeTensors, Tensor } from '../kernels/kernels.js'

/** The parameters of an autoencoder as plain arrays, for what is done rarely. Layouts and optional ones as in `SaeTensors`. */
export interface SaeArrays {
  /** [F, D] */
  wEnc: Float32Array
  /** [F] */
  bEnc: Float32Array
  /** [F, Dout] */
  wDec: Float32Array
  /** [Dout] */
  bDec: Float32Array
  /** [F] */
  threshold?: Float32Array
  /** [F] */
  rMag?: Float32Array
  /** [F] */
  bMag?: Float32Array
  /** [D, Dout] */
  wSkip?: Float32Array
}

export type SaeParamName = keyof SaeArrays

/** Widths of the input and the target, and the number of features. */
export interface SaeShape {
  d: number
  dOut: number
  features: number
}

const alwaysThere = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const
const sometimesThere = ['threshold', 'rMag', 'bMag', 'wSkip'] as const

/** The parameters that an autoencoder (or its moments) has, in a fixed order. */
export function paramNames(params: { [name in SaeParamName]?: unknown }): SaeParamName[] {
  return [...alwaysThere, ...sometimesThere.filter((name) => params[name] !== undefined)]
}

/** Shapes of all parameters that an autoencoder can have, by name. */
export function saeShapes({ d, dOut, features }: SaeShape): Record<SaeParamName, number[]> {
  return {
    wEnc: [features, d],
    bEnc: [features],
    wDec: [features, dOut],
    bDec: [dOut],
    threshold: [features],
    rMag: [features],
    bMag: [features],
    wSkip: [d, dOut],
  }
}

/** What the lengths of the arrays say. */
export function shapeOfArrays({ wEnc, bEnc, bDec }: SaeArrays): SaeShape {
  return { d: wEnc.length / bEnc.length, dOut: bDec.length, features: bEnc.length }
}

/** The same parameters with a value made from each. */
function mapParams<From, To>(
  params: { [name in SaeParamName]?: From },
  make: (value: From, name: SaeParamName) => To,
): Record<(typeof alwaysThere)[number], To> & { [name in (typeof sometimesThere)[number]]?: To } {
  const made = paramNames(params).map((name) => [name, make(params[name] as From, name)])
  return Object.fromEntries(made)
}

/** Copies arrays into tensors. @throws MonosemError shape */
export function saeTensors(kernels: Kernels, arrays: SaeArrays): SaeTensors {
  return mapParams(arrays, tensorMaker(kernels, arrays))
}

/** The same, one at a time: each goes over all its numbers, and other work has its turn in between. @throws MonosemError shape */
export async function loadSaeTensors(kernels: Kernels, arrays: SaeArrays): Promise<SaeTensors> {
  const make = tensorMaker(kernels, arrays)
  const made: { [name in SaeParamName]?: Tensor } = {}
  for (const name of paramNames(arrays)) {
    made[name] = make(arrays[name] as Float32Array, name)
    await setImmediate()
  }
  return made as SaeTensors
}

function tensorMaker(
  kernels: Kernels,
  arrays: SaeArrays,
): (array: Float32Array, name: SaeParamName) => Tensor {
  const shapes = saeShapes(shapeOfArrays(arrays))
  return (array, name) => {
    if (array.length !== shapes[name].reduce((a, b) => a * b, 1))
      throw new MonosemError('shape', `sae: expected ${name} [${shapes[name]}], got ${array.length} numbers`)
    return kernels.tensor(array, shapes[name])
  }
}

/** Tensors of the same shapes, all zero, as the moments of Adam start. */
export function zerosLike(kernels: Kernels, tensors: SaeTensors): SaeTensors {
  return mapParams(tensors, ({ shape }) => kernels.zeros(shape))
}

/** Another copy. */
export function copyOf(kernels: Kernels, tensors: SaeTensors): SaeTensors {
  return mapParams(tensors, (tensor) => {
    const copy = kernels.zeros(tensor.shape)
    kernels.copy(copy, tensor)
    return copy
  })
}

/** Reads all parameters back, once earlier operations are done. */
export async function readSae(kernels: Kernels, tensors: SaeTensors): Promise<SaeArrays> {
  const names = paramNames(tensors)
  const arrays = await Promise.all(names.map((name) => kernels.readF32(tensors[name]!)))
  return Object.fromEntries(names.map((name, i) => [name, arrays[i]])) as unknown as SaeArrays
}

/** Replaces all parameters. */
export function writeSae(kernels: Kernels, tensors: SaeTensors, arrays: SaeArrays): void {
  for (const name of paramNames(tensors)) kernels.write(tensors[name]!, arrays[name]!)
}

/** Gives the memory back. */
export function freeSae(kernels: Kernels, tensors: SaeTensors): void {
  for (const name of paramNames(tensors)) kernels.free(tensors[name]!)
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
