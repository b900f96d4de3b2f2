import { readFile } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { type Json, openStage } from '../storage/stage.js'

/**
 * Reads a JSON file of a finished stage directory, after checking it against the manifest.
 * @throws MonosemError missing, corrupt, format
 */
export async function readStageJson<T = Json>(directory: string, stage: string, name: string): Promise<T> {
  const path = await (await openStage(directory, stage)).file(name)
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected JSON`, {
      cause,
      hint: 'was it made by another version?',
    })
  }
}
