import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256, storageError, writeFileAtomic } from '../../storage/atomic-file.js'

/** Answers on disk, one file for each, named by the hash of the exact request. */
export interface AnswerCache {
  /** null when there is none, or one that cannot be read */
  read(key: string): Promise<unknown>
  /** @throws MonosemError io */
  write(key: string, answer: unknown): Promise<void>
}

/** Names a request by its content. */
export const requestKey = (request: unknown): string => sha256(JSON.stringify(request))

/**
 * Keeps answers in a directory; a killed program finds all that it had written. Delete the directory to ask again.
 * @param directory created when needed; empty for no cache at all
 */
export function createAnswerCache(directory: string): AnswerCache {
  if (directory === '') return { read: async () => null, write: async () => {} }
  const path = (key: string): string => join(directory, key.slice(0, 2), `${key}.json`)
  return {
    async read(key) {
      try {
        return JSON.parse(await readFile(path(key), 'utf8'))
      } catch {
        return null
      }
    },
    async write(key, answer) {
      const folder = join(directory, key.slice(0, 2))
      await mkdir(folder, { recursive: true }).catch((cause) => {
        throw storageError('create', folder, cause)
      })
      await writeFileAtomic(path(key), JSON.stringify(answer))
    },
  }
}
