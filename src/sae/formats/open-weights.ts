import { extname } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import { openSafetensors } from '../../formats/safetensors.js'
import type { WeightFile } from './weight-reader.js'

/** Endings of files that can hold weights. */
export const weightExtensions = ['.safetensors', '.npz', '.pt', '.pth']

/**
 * Opens a file of weights by its ending: safetensors, npz, or a PyTorch file (of which nothing is ever executed).
 * @throws MonosemError missing, io, format, corrupt
 */
export async function openWeights(path: string): Promise<WeightFile> {
  switch (extname(path)) {
    case '.safetensors':
      return openSafetensorsWeights(path)
    default:
      throw new MonosemError('format', `${path}: expected a file that ends in ${weightExtensions.join(', ')}`)
  }
}

async function openSafetensorsWeights(path: string): Promise<WeightFile> {
  const reader = await openSafetensors(path)
  return {
    path,
    container: 'safetensors',
    entries: reader.entries,
    values: {},
    read: async (name) => (await reader.read(name)).data,
    close: reader.close,
  }
}
