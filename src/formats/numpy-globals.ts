import { MonosemError } from '../errors/monosem-error.js'
import { type FileDtype, tensorFromBytes } from './file-tensor.js'
import type { PickledObject, PickleGlobal, PickleValue } from './pickle.js'

/*
 * NumPy's scalars in pickles: training scripts put losses and step counts into their checkpoints that were never made Python numbers.
 * numpy.float64(1.5) is scalar(dtype('f8', False, True), b'...'), the dtype having been given its byte order by BUILD.
 */

interface NumpyDtype extends PickledObject {
  readonly kind: 'numpy.dtype'
  readonly dtype: FileDtype
  byteOrder: 'little' | 'big'
}

const dtypes: Record<string, FileDtype> = {
  ...{ f8: 'F64', f4: 'F32', f2: 'F16' },
  ...{ i8: 'I64', i4: 'I32', i2: 'I16', i1: 'I8', u8: 'U64', u4: 'U32', u2: 'U16', u1: 'U8', b1: 'BOOL' },
}

export const numpyGlobals: Pick<PickleGlobal, 'name' | 'call'>[] = [
  { name: 'numpy dtype', call: makeDtype },
  { name: 'numpy.core.multiarray scalar', call: makeScalar },
  { name: 'numpy._core.multiarray scalar', call: makeScalar },
]

function makeDtype([name]: readonly PickleValue[]): NumpyDtype | undefined {
  if (typeof name !== 'string' || !Object.hasOwn(dtypes, name)) return undefined
  return {
    kind: 'numpy.dtype',
    dtype: dtypes[name],
    byteOrder: 'little',
    /** @param state version, byte order, ... */
    build(state) {
      const order = Array.isArray(state) ? state[1] : undefined
      if (order !== '<' && order !== '>' && order !== '|')
        throw new MonosemError('format', `a numpy.dtype has byte order ${String(order)}, expected < or >`)
      this.byteOrder = order === '>' ? 'big' : 'little'
    },
  }
}

function makeScalar([type, bytes, ...rest]: readonly PickleValue[]): PickleValue | undefined {
  if (typeof type !== 'object' || type === null || !('kind' in type) || type.kind !== 'numpy.dtype')
    return undefined
  if (!(bytes instanceof Uint8Array) || rest.length > 0) return undefined
  const { dtype, byteOrder } = type as NumpyDtype
  const { data } = tensorFromBytes(new Uint8Array(bytes), { dtype, shape: [], byteOrder })
  if (data.length !== 1) return undefined
  const number = Number(data[0])
  if (dtype === 'BOOL') return number !== 0
  return typeof data[0] === 'number' || Number.isSafeInteger(number) ? number : data[0]
}
