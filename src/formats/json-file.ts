import { readFile } from 'node:fs/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from '../storage/atomic-file.js'

/** Parses a JSON file. @throws MonosemError missing, io, format */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw storageError('read', path, cause)
    throw new MonosemError('format', `${path} is not JSON`, { cause, hint: 'copy the file again' })
  }
}
