import { elementCount } from './element-count.js'
import { bytesPerElement, type FileDtype } from './file-tensor.js'
import { numpyGlobals } from './numpy-globals.js'
import type { PickledObject, PickleGlobal, PickleKey, PickleValue } from './pickle.js'
import { reach } from './strided-copy.js'

/** Bytes of a file that tensors are views of. */
export interface TorchStorage extends PickledObject {
  readonly kind: 'storage'
  /** its name in the file */
  readonly key: string
  /** U8 where the storage has no type */
  readonly dtype: FileDtype
  readonly elements: number
  readonly bytes: number
}

/** A tensor whose storage is not read yet; it has been checked to lie inside. */
export interface TorchTensor extends PickledObject {
  readonly kind: 'tensor'
  readonly storage: TorchStorage
  readonly dtype: FileDtype
  readonly shape: readonly number[]
  /** step to the next element of each axis, in elements */
  readonly strides: readonly number[]
  /** elements before the first one */
  readonly offset: number
}

/** torch.Tensor has no more axes. */
const maxAxes = 64

const storageTypes: Record<string, FileDtype> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: 'U8',
}

/** torch.dtype objects; those without a type here can be mentioned, but no tensor can have them. */
const dtypes: Record<string, FileDtype | undefined> = {
  ...{ float64: 'F64', float32: 'F32', float16: 'F16', bfloat16: 'BF16' },
  ...{ int64: 'I64', int32: 'I32', int16: 'I16', int8: 'I8' },
  ...{ uint64: 'U64', uint32: 'U32', uint16: 'U16', uint8: 'U8', bool: 'BOOL' },
  ...{ complex64: undefined, complex128: undefined, float8_e4m3fn: undefined, float8_e5m2: undefined },
}

const functions: Record<string, PickleGlobal['call']> = {
  'collections OrderedDict': orderedDict,
  'torch._utils _rebuild_tensor': (args) => (args.length === 4 ? rebuildTensor(args) : undefined),
  'torch._utils _rebuild_tensor_v2': (args) =>
    args.length === 6 || args.length === 7 ? rebuildTensor(args, undefined, args[6]) : undefined,
  'torch._utils _rebuild_tensor_v3': (args) =>
    args.length === 7 || args.length === 8 ? rebuildTensor(args, args[6], args[7]) : undefined,
  'torch._utils _rebuild_parameter': ([data, , ...rest]) =>
    kindOf(data) === 'tensor' && rest.length === 1 ? data : undefined,
  'torch Size': ([sizes, ...rest]) => (isSizes(sizes) && rest.length === 0 ? [...sizes] : undefined),
  'torch device': device,
  // older protocols have no opcodes for sets and bytes
  '__builtin__ set': listOf,
  'builtins set': listOf,
  '_codecs encode': ([text, encoding]) =>
    typeof text === 'string' && encoding === 'latin1'
      ? new Uint8Array(Buffer.from(text, 'latin1'))
      : undefined,
}

/** The names that a file of `torch.save` may mention, and what stands for them. No other is looked up. */
export const torchGlobals: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    ...Object.entries(functions).map(([name, call]) => ({ name, call })),
    ...Object.keys(storageTypes).flatMap((type) =>
      ['torch', 'torch.cuda', 'torch.storage'].map((module) => ({ name: `${module} ${type}` })),
    ),
    ...Object.keys(dtypes).map((type) => ({ name: `torch ${type}` })),
    ...numpyGlobals,
  ].map((global) => [global.name, { kind: 'global', ...global }]),
)

/** What a torch.dtype is called in Python; undefined for other values. */
export function dtypeName(value: PickleValue): string | undefined {
  const name = nameOf(value)?.split(' ') ?? []
  return name[0] === 'torch' && Object.hasOwn(dtypes, name[1]) ? name.join('.') : undefined
}

/**
 * The storage that a persistent id stands for: ('storage', type, key, location, elements) and, before PyTorch 1.6, None.
 * Undefined for any other id.
 */
export function storageOf(id: PickleValue): TorchStorage | undefined {
  if (!Array.isArray(id) || id.length < 5 || id.length > 6 || (id[5] ?? null) !== null) return undefined
  const [tag, type, key, location, elements] = id
  const name = nameOf(type)?.split(' ')[1] ?? ''
  if (tag !== 'storage' || typeof key !== 'string' || typeof location !== 'string') return undefined
  if (!Object.hasOwn(storageTypes, name) || !isSize(elements)) return undefined
  const dtype = storageTypes[name]
  return { kind: 'storage', key, dtype, elements, bytes: elements * bytesPerElement(dtype) }
}

/** @param args storage, offset, shape, strides, ... */
function rebuildTensor(
  [storage, offset, shape, strides]: readonly PickleValue[],
  dtypeGlobal?: PickleValue,
  metadata: PickleValue = null,
): TorchTensor | undefined {
  if (kindOf(storage) !== 'storage' || !isSize(offset) || !isSizes(shape) || !isSizes(strides))
    return undefined
  const { dtype, bytes } = storage as TorchStorage
  const type = dtypeGlobal === undefined ? dtype : dtypes[nameOf(dtypeGlobal)?.split(' ')[1] ?? '']
  if (!type || strides.length !== shape.length || !Number.isSafeInteger(elementCount(shape))) return undefined
  // the metadata say that the numbers are to be negated or conjugated
  if (metadata !== null && !(metadata instanceof Map && metadata.size === 0)) return undefined
  if ((offset + reach(shape, strides) + 1) * bytesPerElement(type) > bytes) return undefined
  return { kind: 'tensor', storage: storage as TorchStorage, dtype: type, shape, strides, offset }
}

/** @param args nothing, or a list of pairs */
function orderedDict([pairs = [], ...rest]: readonly PickleValue[]): PickleValue | undefined {
  if (!Array.isArray(pairs) || rest.length > 0) return undefined
  const isPair = (pair: PickleValue): pair is [PickleKey, PickleValue] =>
    Array.isArray(pair) && pair.length === 2 && (pair[0] === null || typeof pair[0] !== 'object')
  return pairs.every(isPair) ? new Map(pairs) : undefined
}

function listOf([items, ...rest]: readonly PickleValue[]): PickleValue | undefined {
  return Array.isArray(items) && rest.length === 0 ? [...items] : undefined
}

function device([type, index, ...rest]: readonly PickleValue[]): PickleValue | undefined {
  if (typeof type !== 'string' || rest.length > 0) return undefined
  if (index === undefined) return type
  return isSize(index) ? `${type}:${index}` : undefined
}

const kindOf = (value: PickleValue): string | undefined =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined

const nameOf = (value: PickleValue): string | undefined =>
  kindOf(value) === 'global' ? (value as PickleGlobal).name : undefined

const isSize = (value: PickleValue): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isSizes = (value: PickleValue): value is number[] =>
  Array.isArray(value) && value.length <= maxAxes && value.every(isSize)
