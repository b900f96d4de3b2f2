import type { FileHandle } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'
import { storageError } from '../storage/atomic-file.js'
import { type PickleValue, unpickle } from './pickle.js'
import { allocate, openFile, readInto } from './read-bytes.js'
import { storageOf, type TorchStorage, torchGlobals } from './torch-globals.js'
import { readTensors, type TorchValue } from './torch-values.js'

/*
 * The files of `torch.save` before PyTorch 1.6: five pickles one after the other (a magic number, the version of the layout, facts about the
 * machine, the object, the list of its storages), then each storage in the order of the list: the number of its elements in 8 bytes, and
 * the elements, always little-endian.
 */

const magic = 0x1950a86a20f9469cfc6cn
const layoutVersion = 1001

/** The pickles stand at the beginning of the file; they are searched in this many bytes. */
const maxPickleBytes = 1 << 26

/** @throws MonosemError missing, io, format, corrupt */
export async function readLegacyTorchFile(path: string): Promise<TorchValue> {
  const handle = await openFile(path)
  try {
    const { size } = await handle.stat()
    const { value, storages, keys, end } = await readPickles(handle, path, size)
    const positions = await findStorages(handle, path, end, size, storages, keys)
    return await readTensors(value, {
      path,
      fileBytes: size,
      byteOrder: 'little',
      async read({ key, bytes }) {
        const position = positions.get(key)
        if (position === undefined) throw corrupt(path, `storage ${shown(key)} is not in its list`)
        const data = allocate(`${path}: storage ${shown(key)}`, bytes)
        await readInto(handle, path, data, position)
        return data
      },
    })
  } catch (cause) {
    throw storageError('read', path, cause)
  } finally {
    await handle.close()
  }
}

async function readPickles(handle: FileHandle, path: string, size: number) {
  const bytes = new Uint8Array(Math.min(size, maxPickleBytes))
  await readInto(handle, path, bytes, 0)
  const storages = new Map<string, TorchStorage>()
  const persistentLoad = (id: PickleValue): TorchStorage | undefined => {
    const storage = storageOf(id)
    if (storage) storages.set(storage.key, storage)
    return storage
  }
  let end = 0
  const next = (): PickleValue => {
    const pickle = unpickle(bytes, { what: path, globals: torchGlobals, persistentLoad }, end)
    end = pickle.end
    return pickle.value
  }
  if (next() !== magic)
    throw new MonosemError('format', `${path} is a pickle, but not of torch.save`, { hint: 'check the path' })
  const version = next()
  if (version !== layoutVersion)
    throw corrupt(path, `expected layout ${layoutVersion}, got ${String(version)}`)
  next()
  const value = next()
  return { value, storages, keys: next(), end }
}

/** Where the elements of each storage begin. */
async function findStorages(
  handle: FileHandle,
  path: string,
  end: number,
  size: number,
  storages: ReadonlyMap<string, TorchStorage>,
  keys: PickleValue,
): Promise<Map<string, number>> {
  if (!Array.isArray(keys)) throw corrupt(path, 'expected a list of storages')
  const positions = new Map<string, number>()
  let position = end
  for (const key of keys) {
    const storage = typeof key === 'string' && !positions.has(key) ? storages.get(key) : undefined
    if (!storage) throw corrupt(path, `storage ${shown(String(key))} is listed twice or belongs to no tensor`)
    const count = new Uint8Array(8)
    await readInto(handle, path, count, position)
    const elements = Number(new DataView(count.buffer).getBigUint64(0, true))
    if (elements !== storage.elements || position + 8 + storage.bytes > size)
      throw corrupt(
        path,
        `storage ${shown(storage.key)} should have ${storage.elements} elements, got ${elements}`,
      )
    positions.set(storage.key, position + 8)
    position += 8 + storage.bytes
  }
  return positions
}

const corrupt = (path: string, what: string): MonosemError =>
  new MonosemError('corrupt', `${path}: ${what}`, {
    hint: 'the file is damaged or was cut short: make it again, or copy it again',
  })
