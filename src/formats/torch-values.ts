import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'
import { elementCount } from './element-count.js'
import { bytesPerElement, type FileTensor, tensorFromBytes } from './file-tensor.js'
import type { PickleKey, PickleValue } from './pickle.js'
import { dtypeName, type TorchStorage, type TorchTensor } from './torch-globals.js'
import { expansionLimit } from './zip.js'

/**
 * What `torch.save` had been given. Tuples, lists and sets are arrays, dicts are Maps in their order, a torch.dtype or torch.device is its
 * name ("torch.float32", "cuda:0"), an int beyond 2^53 is a bigint. Tensors are row-major; F16 and BF16 are widened to float32.
 */
export type TorchValue = PickleKey | Uint8Array | FileTensor | TorchValue[] | Map<PickleKey, TorchValue>

export const isTensor = (value: TorchValue | undefined): value is FileTensor =>
  typeof value === 'object' && value !== null && 'shape' in value

/** Where the bytes of tensors are. */
export interface StorageSource {
  /** the file, for messages */
  path: string
  fileBytes: number
  byteOrder: 'little' | 'big'
  /** The bytes of a storage, in memory of their own. @throws MonosemError corrupt: it is not there, or has another size */
  read(storage: TorchStorage): Promise<Uint8Array<ArrayBuffer>>
}

/**
 * Reads the tensors of an unpickled value. Each storage is read once. Tensors that are one in the file are one object, and tensors that
 * cover the same whole storage share its memory, as they do in PyTorch.
 * @throws MonosemError format (they unfold to far more than the file holds, or a name stands where a value should), corrupt, io
 */
export async function readTensors(value: PickleValue, source: StorageSource): Promise<TorchValue> {
  const views = [...new Set(tensorsIn(value))]
  checkExpansion(views, source)
  const tensors = new Map<TorchTensor, FileTensor>()
  for (const sharing of byStorage(views)) {
    const bytes = await source.read(sharing[0].storage)
    for (const view of sharing) {
      if (view.storage.bytes !== bytes.length)
        throw new MonosemError(
          'corrupt',
          `${source.path}: storage ${shown(view.storage.key)} is said to have ${view.storage.bytes} and ${bytes.length} bytes`,
        )
      tensors.set(view, tensorFromBytes(bytes, { ...view, byteOrder: source.byteOrder }))
    }
  }
  return plainValue(value, tensors, source.path)
}

const isView = (value: PickleValue): value is TorchTensor =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tensor'

function* tensorsIn(value: PickleValue): Generator<TorchTensor> {
  if (isView(value)) yield value
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item)
  else if (value instanceof Map) for (const item of value.values()) yield* tensorsIn(item)
}

/** Tensors with strides of zero, or many views of one storage, can be far larger than their file. */
function checkExpansion(views: readonly TorchTensor[], { path, fileBytes }: StorageSource): void {
  const total = views.reduce(
    (sum, { dtype, shape }) => sum + elementCount(shape) * Math.max(4, bytesPerElement(dtype)),
    0,
  )
  if (total > expansionLimit(fileBytes))
    throw new MonosemError('format', `${path} has ${fileBytes} bytes, but its tensors unfold to ${total}`, {
      hint: 'expanded tensors can be saved as what they are expanded from',
    })
}

function byStorage(views: readonly TorchTensor[]): TorchTensor[][] {
  const groups = new Map<string, TorchTensor[]>()
  for (const view of views) {
    const group = groups.get(view.storage.key)
    if (group) group.push(view)
    else groups.set(view.storage.key, [view])
  }
  return [...groups.values()]
}

function plainValue(
  value: PickleValue,
  tensors: ReadonlyMap<TorchTensor, FileTensor>,
  path: string,
): TorchValue {
  const plain = (value: PickleValue): TorchValue => {
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
    if (Array.isArray(value)) return value.map(plain)
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]))
    if (isView(value)) return tensors.get(value)!
    const name = dtypeName(value)
    if (name === undefined)
      throw new MonosemError('format', `${path}: expected values and tensors, got a Python ${value.kind}`)
    return name
  }
  return plain(value)
}
