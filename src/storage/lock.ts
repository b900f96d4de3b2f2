import { open, readFile, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from './atomic-file.js'

/** Locks of this very process. A killed process may have had our id (containers hand out the same ones again and again). */
const held = new Set<string>()

/**
 * Keeps two processes from writing one directory: creates `lock` with our process id. A lock whose process is gone
 * (killed) is taken over. Returns the function that removes the lock.
 * @throws MonosemError busy
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = resolve(directory, 'lock')
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile(String(process.pid))
      await handle.close()
      held.add(path)
      return async () => {
        held.delete(path)
        await rm(path, { force: true })
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw storageError('lock', path, cause)
      const owner = await readOwner(path)
      if (attempt > 0 || (owner === process.pid ? held.has(path) : isAlive(owner)))
        throw new MonosemError('busy', `${directory} is being written by process ${owner}`, {
          cause,
          hint: `wait for it to end, or stop it (or remove ${path} if process ${owner} is something else)`,
        })
      await rm(path, { force: true })
    }
  }
}

/** The process id in a lock. Its writer creates the file first and writes a moment later: wait for that once. */
async function readOwner(path: string): Promise<number> {
  const read = (): Promise<string> => readFile(path, 'utf8').catch(() => '')
  const text = await read()
  if (text !== '') return Number(text)
  await setTimeout(100)
  return Number(await read())
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
