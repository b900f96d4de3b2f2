import { MonosemError } from '../errors/monosem-error.js'
import * as check from './check.js'
import type { AdamOptions, DType, Tensor } from './kernels.js'

/** The addon's exports: `name(runtime, handles..., numbers...)`, checked again on the other side. */
export type Addon = Record<string, (...args: unknown[]) => unknown>

/** Memory under one or more tensors. */
interface Storage {
  freed: boolean
}

/** A tensor whose memory the addon owns. `handle` is opaque. */
export class NativeTensor implements Tensor {
  constructor(
    readonly shape: readonly number[],
    readonly dtype: DType,
    readonly handle: unknown,
    readonly storage: Storage,
  ) {}
}

const DTYPES: Record<DType, number> = { f32: 0, bf16: 1, i32: 2 }

/** Turns an error of the addon into ours. */
export function guarded<R>(body: () => R): R {
  try {
    return body()
  } catch (cause) {
    throw nativeError(cause)
  }
}

/** The addon finds ids that lie outside their table when it reaches them: wrong data, not a failure of its own. */
const OUT_OF_RANGE = 'out of range: '

function nativeError(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof MonosemError) return cause
  if (cause.message.startsWith(OUT_OF_RANGE))
    return new MonosemError('shape', cause.message.slice(OUT_OF_RANGE.length), { cause })
  return new MonosemError('native', cause.message, {
    cause,
    hint: 'make the batch smaller if memory ran out; otherwise please report this',
  })
}

/** How operations reach the addon: tensors become handles, errors become MonosemErrors. */
export interface Boundary {
  call(name: string, ...args: unknown[]): unknown
  promise<R>(name: string, ...args: unknown[]): Promise<R>
  allocate(shape: readonly number[], dtype: DType): NativeTensor
}

export function createBoundary(addon: Addon, runtime: unknown): Boundary {
  const call = (name: string, ...args: unknown[]): unknown =>
    guarded(() => addon[name](runtime, ...args.map(crossing)))
  return {
    call,
    promise: async <R>(name: string, ...args: unknown[]): Promise<R> => {
      try {
        return (await addon[name](runtime, ...args.map(crossing))) as R
      } catch (cause) {
        throw nativeError(cause)
      }
    },
    allocate: (shape, dtype) =>
      new NativeTensor([...shape], dtype, call('allocate', check.elementCount(shape), DTYPES[dtype]), {
        freed: false,
      }),
  }
}

/** The handle of a live tensor (also inside a list); everything else as it is. */
function crossing(value: unknown): unknown {
  if (value instanceof NativeTensor) {
    if (value.storage.freed)
      throw new MonosemError('shape', `a tensor ${check.shapeText(value.shape)} was used after free`)
    return value.handle
  }
  if (Array.isArray(value)) return value.map(crossing)
  if (typeof value === 'object' && value !== null && 'dtype' in value)
    throw new MonosemError('shape', 'a tensor of other kernels was given to the native kernels')
  return value
}

export const native = (t: Tensor): NativeTensor => {
  crossing(t)
  return t as NativeTensor
}

/** An operation that is checked, then enqueued with its tensors and the sizes that follow from their shapes. */
export function enqueued<A extends unknown[]>(
  { call }: Boundary,
  name: string,
  checkArguments: (...args: A) => void,
  cross: (...args: A) => unknown[],
) {
  return (...args: A): void => {
    checkArguments(...args)
    call(name, ...cross(...args))
  }
}

export const adamNumbers = (o: AdamOptions): number[] => [
  o.learningRate,
  o.beta1,
  o.beta2,
  o.epsilon,
  o.weightDecay,
  o.step,
]
