import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'
import { storageError } from '../storage/atomic-file.js'
import { unpickle } from './pickle.js'
import { openFile, readInto } from './read-bytes.js'
import { storageOf, torchGlobals } from './torch-globals.js'
import { readLegacyTorchFile } from './torch-legacy.js'
import { readTensors, type TorchValue } from './torch-values.js'
import { openZip, type ZipArchive } from './zip.js'

/*
 * The files of `torch.save` since PyTorch 1.6 are zip archives with one folder of any name:
 *   NAME/data.pkl    the object, a pickle in which tensors refer to storages by number
 *   NAME/data/N      the bytes of storage N
 *   NAME/byteorder   "little" or "big"; NAME/version
 */

/** The newest layout that PyTorch 2 writes and reads. */
const newestVersion = 10

/**
 * Reads a `.pt`, `.pth` or `.bin` file of `torch.save`, old or new, without running what is in it: only tensors and plain values are
 * made, see `TorchValue`; anything else is refused by its name.
 * @throws MonosemError missing, io, format (another kind of file, TorchScript, or it holds more than tensors and plain values), corrupt
 */
export async function readTorchFile(path: string): Promise<TorchValue> {
  const start = await firstBytes(path)
  if (start[0] === 0x80) return readLegacyTorchFile(path)
  if (start[0] !== 0x50 || start[1] !== 0x4b)
    throw new MonosemError(
      'format',
      `${path} is not a file of torch.save: it is neither a zip archive nor a pickle`,
      {
        hint: 'check the path; in Python, torch.load and torch.save write it anew',
      },
    )
  const zip = await openZip(path)
  try {
    return await readArchive(zip)
  } finally {
    await zip.close()
  }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const handle = await openFile(path)
  try {
    const bytes = new Uint8Array(Math.min(2, (await handle.stat()).size))
    await readInto(handle, path, bytes, 0)
    return bytes
  } catch (cause) {
    throw storageError('read', path, cause)
  } finally {
    await handle.close()
  }
}

async function readArchive(zip: ZipArchive): Promise<TorchValue> {
  const { path, fileBytes } = zip
  const folder = folderOf(zip)
  const version = await readText(zip, `${folder}/version`)
  if (version !== undefined && !(Number(version) <= newestVersion))
    throw new MonosemError(
      'format',
      `${path}: expected version ${newestVersion} or older, got ${shown(version)}`,
      {
        hint: 'save it with torch.save of PyTorch 2, or with safetensors.torch.save_file',
      },
    )
  const byteOrder = (await readText(zip, `${folder}/byteorder`)) ?? 'little'
  if (byteOrder !== 'little' && byteOrder !== 'big')
    throw new MonosemError('corrupt', `${path}: expected byteorder little or big, got ${shown(byteOrder)}`)
  const name = `${folder}/data.pkl`
  const { value } = unpickle(await zip.read(name), {
    what: `${path}: ${name}`,
    globals: torchGlobals,
    persistentLoad: storageOf,
  })
  return readTensors(value, {
    path,
    fileBytes,
    byteOrder,
    async read({ key, bytes }) {
      const entry = zip.entries.get(`${folder}/data/${key}`)
      if (entry?.size === bytes) return zip.read(entry.name)
      const got = entry ? `${entry.size} bytes` : 'nothing'
      throw new MonosemError(
        'corrupt',
        `${path}: expected ${bytes} bytes in ${shown(`data/${key}`)}, got ${got}`,
        {
          hint: 'the file is damaged: save it again, or copy it again',
        },
      )
    },
  })
}

/** The one folder that everything is in. */
function folderOf({ path, entries }: ZipArchive): string {
  const folders = [...entries.keys()]
    .map((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1])
    .filter((name) => name !== undefined)
  if (folders.length !== 1)
    throw new MonosemError(
      'format',
      `${path} is a zip archive, but not of torch.save: expected one data.pkl, got ${folders.length}`,
      {
        hint: 'check the path',
      },
    )
  if (entries.has(`${folders[0]}/constants.pkl`))
    throw new MonosemError('format', `${path} is a TorchScript archive, which holds a program`, {
      hint: 'in Python, save the state_dict() of the module with safetensors.torch.save_file',
    })
  return folders[0]
}

/** A short entry as text, trimmed; undefined where there is none. */
async function readText(zip: ZipArchive, name: string): Promise<string | undefined> {
  const entry = zip.entries.get(name)
  if (!entry) return undefined
  if (entry.size > 100)
    throw new MonosemError(
      'corrupt',
      `${zip.path}: expected a few bytes in ${shown(name)}, got ${entry.size}`,
    )
  return Buffer.from(await zip.read(name))
    .toString('latin1')
    .trim()
}
