import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'
import { elementCount } from './element-count.js'
import { bytesPerElement, type FileDtype, type FileTensor, tensorFromBytes } from './file-tensor.js'
import { type Literal, parseLiteral } from './python-literal.js'

/*
 * NumPy's layout of one array (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): "\x93NUMPY", version, length of the
 * header (2 bytes in version 1, 4 in versions 2 and 3), a Python dict { 'descr', 'fortran_order', 'shape' }, then the elements.
 */

/** Real headers have some hundred bytes; the lists of field names of structured arrays, which are refused, are longer. */
const maxHeaderBytes = 65_536

/** numpy.ndarray has no more axes. */
const maxAxes = 64

const dtypes: Record<string, FileDtype> = {
  f8: 'F64',
  f4: 'F32',
  f2: 'F16',
  i8: 'I64',
  i4: 'I32',
  i2: 'I16',
  i1: 'I8',
  u8: 'U64',
  u4: 'U32',
  u2: 'U16',
  u1: 'U8',
  b1: 'BOOL',
}

interface Header {
  dtype: FileDtype
  byteOrder: 'little' | 'big'
  fortran: boolean
  shape: number[]
}

/**
 * The array of a `.npy` file that is in memory: numbers or booleans, in either byte order, in row-major or Fortran order. Where nothing has to be moved, its data stays in `bytes`.
 * @param what the file, for messages
 * @throws MonosemError format (no .npy file; objects, texts, structures), corrupt
 */
export function parseNpy(what: string, bytes: Uint8Array<ArrayBuffer>): FileTensor {
  const [begin, end] = headerRange(what, bytes)
  const { dtype, byteOrder, fortran, shape } = parseHeader(
    what,
    Buffer.from(bytes.subarray(begin, end)).toString('latin1'),
  )
  const data = bytes.subarray(end)
  const expected = elementCount(shape) * bytesPerElement(dtype)
  if (data.length !== expected)
    throw corrupt(what, `${dtype} [${shape}] needs ${expected} bytes, got ${data.length}`)
  const strides = fortran ? columnMajorStrides(shape) : undefined
  return tensorFromBytes(data, { dtype, shape, strides, byteOrder })
}

function headerRange(what: string, bytes: Uint8Array): [begin: number, end: number] {
  if (Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== '\x93NUMPY')
    throw notNpy(what, 'it does not start with "\\x93NUMPY"')
  const version = bytes[6]
  const begin = version === 1 ? 10 : 12
  if (bytes.length < begin) throw corrupt(what, `expected a header, got ${bytes.length} bytes`)
  if (version < 1 || version > 3) throw notNpy(what, `version ${version} is unknown`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > maxHeaderBytes) throw notNpy(what, `a header of ${length} bytes is announced`)
  if (begin + length > bytes.length)
    throw corrupt(what, `expected a header of ${length} bytes, got ${bytes.length - begin}`)
  return [begin, begin + length]
}

function parseHeader(what: string, text: string): Header {
  const header = parseLiteral(text)
  if (!(header instanceof Map)) throw notNpy(what, 'the header is not a Python dict')
  const fortran = header.get('fortran_order')
  const shape = header.get('shape')
  if (typeof fortran !== 'boolean') throw notNpy(what, 'the header has no fortran_order')
  if (!isShape(shape)) throw notNpy(what, 'the shape is not a tuple of sizes')
  return { ...parseDescr(what, header.get('descr')), fortran, shape }
}

const isShape = (value: Literal | undefined): value is number[] =>
  Array.isArray(value) &&
  value.length <= maxAxes &&
  value.every((size) => typeof size === 'number') &&
  Number.isSafeInteger(elementCount(value as number[]))

function parseDescr(what: string, descr: Literal | undefined): Pick<Header, 'dtype' | 'byteOrder'> {
  if (Array.isArray(descr)) throw refused(what, 'it holds a structured array')
  if (typeof descr !== 'string') throw notNpy(what, 'the header has no descr')
  const [, order, type] = /^([<>|=]?)(.*)$/s.exec(descr)!
  if (type.startsWith('O')) throw refused(what, 'it holds Python objects, which only a pickle can restore')
  if (!Object.hasOwn(dtypes, type)) throw refused(what, `it holds elements of type ${shown(descr)}`)
  return { dtype: dtypes[type], byteOrder: order === '>' ? 'big' : 'little' }
}

function columnMajorStrides(shape: readonly number[]): number[] {
  let stride = 1
  return shape.map((size) => {
    const here = stride
    stride *= size
    return here
  })
}

const notNpy = (what: string, why: string): MonosemError =>
  new MonosemError('format', `${what} is not an array of NumPy: ${why}`, { hint: 'check the path' })

const refused = (what: string, why: string): MonosemError =>
  new MonosemError('format', `${what}: ${why}`, {
    hint: `Monosem reads arrays of ${Object.keys(dtypes).join(', ')}: convert it with numpy's astype`,
  })

const corrupt = (what: string, why: string): MonosemError =>
  new MonosemError('corrupt', `${what}: ${why}`, {
    hint: 'the file is damaged or was cut short: make it again, or copy it again',
  })
