import { stat } from 'node:fs/promises'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { type CachedFiles, findCachedFiles } from './cached-files.js'
import { downloadFiles } from './download-files.js'
import { openRepositoryCache, type RepositoryCache } from './hub-cache.js'
import { createHubRequests } from './hub-requests.js'
import { type HubSettings, hubSettings } from './hub-settings.js'
import type { ResolvedSource, SourceOptions } from './hub-source.js'
import { chooseFiles, type Selection } from './selection.js'
import { checkRevision, isCommit, parseHubPlace } from './source-name.js'

/**
 * Finds the files of a model, an autoencoder or a data set: a directory or file on this disk stays where it is; else `owner/name`,
 * `owner/name/folder`, `owner/name@revision` or `hf://datasets/owner/name/folder` is a place on the Hugging Face hub, whose wanted files are
 * downloaded into the hub's cache, which Python's libraries share, unless they are there. When the hub cannot be asked, a
 * whole copy in the cache will do.
 * @param wanted which files, by their paths in the directory that is returned; a file that the source names is always wanted
 * @throws MonosemError config (a name or revision that cannot be one), missing (no such directory, repository, revision or file;
 * offline: not in the cache), remote (no access, no network), corrupt (a download with another hash), io, interrupted
 */
export async function resolveSource(
  source: string,
  wanted: (path: string) => boolean,
  options: SourceOptions = {},
): Promise<ResolvedSource> {
  const local = await findLocal(source)
  if (local) return local
  const place = parseHubPlace(source)
  if (!place)
    throw new MonosemError('missing', `${source}: no such directory`, {
      hint: `check the path from ${process.cwd()}; a repository on the hub is named owner/name, or hf:owner/name`,
    })
  const revision = options.revision ?? place.revision ?? 'main'
  checkRevision(revision)
  const settings = await hubSettings({ ...options, revision })
  const cache = openRepositoryCache(settings.cacheDirectory, place)
  const selection = { place, wanted }
  const found = settings.offline
    ? await findCachedFiles(cache, selection, settings)
    : await fetchFiles(cache, selection, settings)
  const isFile = found.paths.includes(place.path)
  return {
    directory: join(cache.snapshot(found.commit), isFile ? posix.dirname(place.path) : place.path),
    ...(isFile && { file: posix.basename(place.path) }),
    repository: place.repository,
    commit: found.commit,
    name: source,
  }
}

async function findLocal(source: string): Promise<ResolvedSource | null> {
  const found = await stat(source).catch(() => null)
  if (!found) return null
  const path = resolve(source)
  const place = found.isDirectory() ? { directory: path } : { directory: dirname(path), file: basename(path) }
  return { ...place, repository: null, commit: null, name: source }
}

/** Asks the hub; when it cannot be asked, a whole copy in the cache will do. */
async function fetchFiles(
  cache: RepositoryCache,
  selection: Selection,
  settings: HubSettings,
): Promise<CachedFiles> {
  try {
    return await askAndDownload(cache, selection, settings)
  } catch (cause) {
    const refused = cause instanceof MonosemError && (cause.code === 'remote' || cause.code === 'missing')
    const cached = refused ? await findCachedFiles(cache, selection, settings).catch(() => null) : null
    if (!cached) throw cause
    settings.progress.note(`${(cause as Error).message}; using commit ${cached.commit} from the cache`)
    return cached
  }
}

async function askAndDownload(
  cache: RepositoryCache,
  selection: Selection,
  settings: HubSettings,
): Promise<CachedFiles> {
  const { revision } = settings
  const requests = createHubRequests(selection.place, settings)
  const commit = isCommit(revision) ? revision : await requests.findCommit(revision)
  const tree = (await cache.readTree(commit)) ?? (await requests.listTree(commit))
  const chosen = chooseFiles(selection, tree)
  await cache.writeTree(commit, tree)
  await downloadFiles(cache, commit, chosen, requests, settings)
  // Last, so that a killed download leaves the branch at the commit that is whole.
  if (revision !== commit) await cache.writeRef(revision, commit)
  return { commit, paths: chosen.map((file) => file.path) }
}
