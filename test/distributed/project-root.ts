import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The directory that package.json lies in; compiled tests run from dist/test/distributed. */
export const projectRoot: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
