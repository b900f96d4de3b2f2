import type { FileTensor } from './file-tensor.js'
import { parseNpy } from './npy.js'
import { openZip } from './zip.js'

/**
 * Reads all arrays of a `.npz` file of `numpy.savez` or `numpy.savez_compressed`, by their names without `.npy`. One array after the
 * other: besides the result, no copy of the file is held.
 * @throws MonosemError missing, io, format (no zip archive, or an entry that is no array of numbers), corrupt
 */
export async function readNpz(path: string): Promise<Record<string, FileTensor>> {
  const zip = await openZip(path)
  try {
    const arrays: [string, FileTensor][] = []
    for (const name of zip.entries.keys())
      arrays.push([name.replace(/\.npy$/, ''), parseNpy(`${path}: ${name}`, await zip.read(name))])
    return Object.fromEntries(arrays)
  } finally {
    await zip.close()
  }
}
