import { posix } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import type { HubFile } from './hub-cache.js'
import type { HubPlace } from './source-name.js'

/** What is looked for in a repository. */
export interface Selection {
  place: HubPlace
  /** by paths in the folder or beside the file that the place names */
  wanted: (path: string) => boolean
}

/** The wanted ones among the files of a repository: below the folder that the place names; or the file that it names, and beside it. */
export function choose({ place: { path: named }, wanted }: Selection, paths: readonly string[]): string[] {
  const folder = paths.includes(named) ? posix.dirname(named) : named
  const start = folder === '' || folder === '.' ? '' : `${folder}/`
  return paths.filter(
    (path) => path === named || (path.startsWith(start) && wanted(path.slice(start.length))),
  )
}

/** @throws MonosemError missing (the repository has none of the wanted files) */
export function chooseFiles(selection: Selection, files: readonly HubFile[]): HubFile[] {
  const paths = files.map((file) => file.path)
  const chosen = new Set(choose(selection, paths))
  if (chosen.size === 0) throw nothingWanted(selection.place, paths)
  return files.filter((file) => chosen.has(file.path))
}

/** At most this many files are named in an error. */
const NAMED = 8

/** Some paths for people. */
export function shortList(paths: readonly string[]): string {
  const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : ''
  return paths.slice(0, NAMED).join(', ') + more
}

function nothingWanted({ repository, path }: HubPlace, paths: readonly string[]): MonosemError {
  const under = paths.filter((other) => path === '' || other.startsWith(`${path}/`))
  return new MonosemError(
    'missing',
    under.length === 0
      ? `${repository}: expected a folder or file ${path} in the repository, there is none`
      : `${repository}: expected other files there, got ${shortList(under)}`,
    { hint: `the repository has ${shortList(paths)}` },
  )
}
