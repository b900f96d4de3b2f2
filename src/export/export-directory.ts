import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError, syncDirectory } from '../storage/atomic-file.js'
import { lockDirectory } from '../storage/lock.js'

/**
 * Makes a directory in another program's layout: `write` works in `<out>.partial`, which is renamed when it is done and removed when
 * it fails. Such a directory is no stage: it has no manifest.
 * @throws MonosemError config (`out` is there already), busy, io
 */
export async function writeDirectory(out: string, write: (partial: string) => Promise<void>): Promise<void> {
  const target = resolve(out)
  if (existsSync(target))
    throw new MonosemError('config', `${out} is there already`, {
      hint: 'choose another --out, or remove it',
    })
  const partial = `${target}.partial`
  try {
    await mkdir(partial, { recursive: true })
  } catch (cause) {
    throw storageError('create', partial, cause)
  }
  const unlock = await lockDirectory(partial)
  try {
    // What a killed export left.
    for (const name of await readdir(partial))
      if (name !== 'lock') await rm(join(partial, name), { recursive: true })
    await write(partial)
    await unlock()
    await rename(partial, target)
    await syncDirectory(dirname(target))
  } catch (cause) {
    await rm(partial, { recursive: true, force: true })
    throw cause instanceof MonosemError ? cause : storageError('write', out, cause)
  } finally {
    await unlock()
  }
}
