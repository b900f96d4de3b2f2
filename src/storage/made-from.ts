import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256, storageError } from './atomic-file.js'
import type { OpenStage } from './open-stage.js'

/**
 * Checks that a stage was made from this very directory (or a copy of it), so that the two can be read together.
 * @throws MonosemError config (it was made from another one), missing (no such input, or not a finished directory)
 */
export async function requireMadeFrom(
  stage: Pick<OpenStage<unknown>, 'directory' | 'manifest'>,
  role: string,
  directory: string,
): Promise<void> {
  const used = stage.manifest.inputs[role]
  if (!used) throw new MonosemError('missing', `${stage.directory} has no input called ${role}`)
  const path = join(directory, 'manifest.json')
  const manifest = await readFile(path).catch((cause) => {
    throw storageError('read', path, cause)
  })
  if (sha256(manifest) === used.manifestSha256) return
  throw new MonosemError('config', `${stage.directory} was not made from the ${role} in ${directory}`, {
    hint: `pass the ${role} it was made from, or make it again from this one`,
  })
}
