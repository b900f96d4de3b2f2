import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { MonosemError } from '../errors/monosem-error.js'
import { throwIfInterrupted } from '../progress/progress.js'
import { lockDirectory } from '../storage/lock.js'
import { downloadBlob } from './download-blob.js'
import { type HubFile, makeDirectory, missingFiles, type RepositoryCache } from './hub-cache.js'
import type { HubRequests } from './hub-requests.js'
import type { HubSettings } from './hub-settings.js'

/**
 * Downloads the files of a commit that the cache lacks, one after the other, and puts each into the snapshot when it is whole.
 * @throws MonosemError as `downloadBlob`
 */
export async function downloadFiles(
  cache: RepositoryCache,
  commit: string,
  files: readonly HubFile[],
  requests: HubRequests,
  settings: HubSettings,
): Promise<void> {
  if ((await missingFiles(cache, commit, files)).length === 0) return
  const unlock = await lockCache(cache, settings)
  try {
    // Another process may just have downloaded them.
    const missing = await missingFiles(cache, commit, files)
    const total = missing.reduce((bytes, file) => bytes + file.size, 0)
    const task = settings.progress.start(`download ${requests.repository}`, total, 'bytes')
    let done = 0
    for (const [i, file] of missing.entries()) {
      throwIfInterrupted(settings.signal)
      const figures = { file: `${i + 1}/${missing.length} ${file.path}` }
      const onBytes = (bytes: number) => task.update(done + bytes, figures)
      await downloadBlob(file, { requests, cache, commit, onBytes, signal: settings.signal })
      await cache.link(commit, file)
      done += file.size
      task.update(done, figures)
    }
    task.end()
  } finally {
    await unlock()
  }
}

/** Milliseconds between two looks whether the other process is done. */
const POLL = 300

/** One process at a time downloads a repository; the others wait and then find its files. */
async function lockCache(cache: RepositoryCache, settings: HubSettings): Promise<() => Promise<void>> {
  const directory = join(settings.cacheDirectory, '.locks', basename(cache.directory))
  await makeDirectory(directory)
  for (let told = false; ; ) {
    throwIfInterrupted(settings.signal)
    try {
      return await lockDirectory(directory)
    } catch (error) {
      if (!(error instanceof MonosemError) || error.code !== 'busy') throw error
      if (!told)
        settings.progress.note(`waiting for another process that downloads the same: ${error.message}`)
      told = true
      await setTimeout(POLL)
    }
  }
}
