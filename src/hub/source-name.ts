import { existsSync } from 'node:fs'
import { MonosemError } from '../errors/monosem-error.js'

/** A place on the hub. */
export interface HubPlace {
  type: 'model' | 'dataset'
  /** owner/name, or the name alone of the oldest models */
  repository: string
  /** folder or file inside the repository; '' for all of it */
  path: string
  /** from `owner/name@revision` */
  revision: string | null
}

/**
 * Reads `owner/name`, `owner/name/folder`, `name`, each with `@revision` behind the name and `hf:` or `hf://` before it, and
 * `hf://datasets/owner/name/folder`.
 * @returns null where the source can only be a path on this disk
 * @throws MonosemError config (a name that no repository can have)
 */
export function parseHubPlace(source: string): HubPlace | null {
  const explicit = /^hf:(?:\/\/)?/.exec(source)
  if (!explicit && looksLocal(source)) return null
  const parts = source.slice(explicit?.[0].length ?? 0).split('/')
  const kind = explicit ? /^(models|datasets)$/.exec(parts[0])?.[1] : undefined
  if (kind) parts.shift()
  const length = parts.length === 1 ? 1 : 2
  const [named, revision = null] = splitOnce(parts.slice(0, length).join('/'), '@')
  const place: HubPlace = {
    type: kind === 'datasets' ? 'dataset' : 'model',
    repository: named,
    path: parts.slice(length).join('/').replace(/\/+$/, ''),
    revision,
  }
  checkRepository(place.repository, source)
  if (place.path !== '') checkRelativePath(place.path, source)
  return place
}

/** Files that no repository is named like. */
const FILE = /\.(safetensors|json|jsonl|pt|pth|npz|bin|parquet|txt|md|csv)$/i

/** Whether a source that is not there must have been meant as a path: `./x`, `/x`, `runs/demo/modle` where `runs` is a directory. */
function looksLocal(source: string): boolean {
  if (source === '' || /^[./~]/.test(source) || /[\\:\s]/.test(source) || source.endsWith('/')) return true
  const [first, ...rest] = source.split('/')
  return rest.length > 0 ? existsSync(first) : FILE.test(source)
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function checkRepository(repository: string, source: string): void {
  const parts = repository.split('/')
  const allowed =
    repository.length <= 96 &&
    !/--|\.\.|\.git$/.test(repository) &&
    parts.every((part) => /^\w([\w.-]*\w)?$/.test(part))
  if (!allowed)
    throw new MonosemError(
      'config',
      `expected a directory or a hub id like owner/name, got ${JSON.stringify(source)}`,
      {
        hint: 'names on the hub are made of letters, digits, "-", "_" and "."',
      },
    )
}

/** Whether a path leads nowhere but down from the directory that it is joined to. */
export function isRelativePath(path: string): boolean {
  const good = (part: string) =>
    part !== '' && part !== '.' && part !== '..' && !/[\\\p{Cc}]/u.test(part) && !/^[A-Za-z]:/.test(part)
  return path.split('/').every(good)
}

/** @throws MonosemError config (a path that leads out of the repository) */
function checkRelativePath(path: string, source: string): void {
  if (isRelativePath(path)) return
  throw new MonosemError('config', `${source}: ${JSON.stringify(path)} is no path inside a repository`, {
    hint: 'paths inside a repository look like some/folder, without ".."',
  })
}

/** @throws MonosemError config (a revision that cannot be one) */
export function checkRevision(revision: string): void {
  const bad = !/^[\w.+/@-]{1,255}$/.test(revision) || /^[-/]|\/$/.test(revision)
  if (bad || revision.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new MonosemError('config', `expected a branch, tag or commit, got ${JSON.stringify(revision)}`, {
      hint: 'for example --revision main',
    })
}

/** Whether a revision is a full commit, which never changes. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)
