import { basename } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { missingFiles, type RepositoryCache } from './hub-cache.js'
import type { HubSettings } from './hub-settings.js'
import { choose, chooseFiles, type Selection, shortList } from './selection.js'
import { isCommit } from './source-name.js'

/** A commit in the cache and the chosen files in it. */
export interface CachedFiles {
  commit: string
  /** from the root of the repository */
  paths: string[]
}

/**
 * Finds the wanted files of a revision in the cache, all of them whole, without the network.
 * @throws MonosemError missing (says what, and how to get it)
 */
export async function findCachedFiles(
  cache: RepositoryCache,
  selection: Selection,
  { revision, cacheDirectory }: HubSettings,
): Promise<CachedFiles> {
  const lacks = (what: string) =>
    new MonosemError(
      'missing',
      `${selection.place.repository}: the cache in ${cacheDirectory} lacks ${what}`,
      {
        hint:
          'run the command once with a network and without HF_HUB_OFFLINE, or copy ' +
          `${basename(cache.directory)} from the cache of another machine, or name a directory that holds the files`,
      },
    )
  const commit = isCommit(revision) ? revision : await cache.readRef(revision)
  if (commit === null || !isCommit(commit)) throw lacks(`revision ${revision}`)
  const tree = await cache.readTree(commit)
  if (!tree) {
    // Downloaded by a program that keeps no list: what is there has to do.
    const paths = choose(selection, await cache.listSnapshot(commit))
    if (paths.length === 0) throw lacks(`the files of revision ${revision}`)
    return { commit, paths }
  }
  const chosen = chooseFiles(selection, tree)
  const missing = await missingFiles(cache, commit, chosen)
  if (missing.length > 0) throw lacks(shortList(missing.map((file) => file.path)))
  return { commit, paths: chosen.map((file) => file.path) }
}
