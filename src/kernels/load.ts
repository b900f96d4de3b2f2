import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from './kernels.js'
import { createNativeKernels } from './native.js'
import { createReferenceKernels } from './reference.js'

export interface KernelsOptions {
  /** threads of the native kernels; default: the number of processors */
  threads?: number
  /** default: native where it is compiled, else the reference */
  implementation?: 'native' | 'reference'
}

/**
 * Chooses the implementation once. Without a request the native kernels are taken where the addon is compiled, else the reference
 * kernels; `description` of the result says which.
 * @throws MonosemError native, when the native kernels were asked for and are not there
 */
export async function loadKernels(options: KernelsOptions = {}): Promise<Kernels> {
  if (options.implementation === 'reference') return createReferenceKernels()
  try {
    return createNativeKernels({ threads: options.threads })
  } catch (error) {
    if (options.implementation === 'native' || !(error instanceof MonosemError) || error.code !== 'native')
      throw error
    return createReferenceKernels()
  }
}
