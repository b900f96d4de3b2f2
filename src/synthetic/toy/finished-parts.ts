import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readJson } from '../../formats/json-file.js'
import { writeFileAtomic } from '../../storage/atomic-file.js'

/** Gives a part of a long computation: what an earlier run has finished, or else what `compute` returns, which is kept. */
export type FinishedParts = <T>(name: string, compute: () => Promise<T>) => Promise<T>

/** Keeps finished parts in a file of a stage's partial directory, which goes away with the stage's other checkpoints. @throws MonosemError io, format */
export async function openFinishedParts(directory: string): Promise<FinishedParts> {
  const path = join(directory, 'checkpoint.json')
  const parts = existsSync(path) ? ((await readJson(path)) as Record<string, unknown>) : {}
  return async <T>(name: string, compute: () => Promise<T>): Promise<T> => {
    if (name in parts) return parts[name] as T
    const part = await compute()
    parts[name] = part
    await writeFileAtomic(path, JSON.stringify(parts))
    return part
  }
}
