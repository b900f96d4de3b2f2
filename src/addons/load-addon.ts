import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MonosemError } from '../errors/monosem-error.js'

/**
 * Loads a compiled addon, native code that lies in build/Release of the package.
 * @param what it is, for the message
 * @param hint how to get it
 * @throws MonosemError native: it is not compiled, or cannot be loaded
 */
export function loadAddon<A>(file: string, what: string, hint: string): A {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'binding.gyp')) && dirname(directory) !== directory)
    directory = dirname(directory)
  const path = join(directory, 'build', 'Release', file)
  try {
    return createRequire(import.meta.url)(path) as A
  } catch (cause) {
    throw new MonosemError('native', `${what} not there: ${path} could not be loaded`, { cause, hint })
  }
}
