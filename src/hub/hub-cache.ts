import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { type HubPlace, isRelativePath } from './source-name.js'

/** A file of a repository at one commit. */
export interface HubFile {
  /** from the root of the repository, with "/" */
  path: string
  /** bytes */
  size: number
  /** SHA-1 of Git's blob; of the pointer, for a file in large file storage */
  gitHash: string
  /** SHA-256 of the content, for a file in large file storage */
  sha256: string | null
}

/**
 * The directory of one repository in the cache, laid out as Python's `huggingface_hub` does it: `blobs/<hash>` hold contents,
 * `snapshots/<commit>/<path>` are links to them, `refs/<branch>` hold commits, `trees/<commit>.json` list a commit's files.
 */
export interface RepositoryCache {
  directory: string
  /** commit of a branch or tag when the hub was last asked, or null */
  readRef(revision: string): Promise<string | null>
  writeRef(revision: string, commit: string): Promise<void>
  /** the list of a commit's files, or null */
  readTree(commit: string): Promise<HubFile[] | null>
  writeTree(commit: string, files: readonly HubFile[]): Promise<void>
  snapshot(commit: string): string
  /** paths of the files that a snapshot holds, whole or not; none when there is no snapshot */
  listSnapshot(commit: string): Promise<string[]>
  /** whether the snapshot holds a file with all of its bytes */
  holds(commit: string, file: HubFile): Promise<boolean>
  blob(file: HubFile): string
  /** puts a blob into a snapshot */
  link(commit: string, file: HubFile): Promise<void>
}

/** The cache of one repository; nothing is made on disk before it is written to. */
export function openRepositoryCache(cacheDirectory: string, { type, repository }: HubPlace): RepositoryCache {
  const directory = join(cacheDirectory, [`${type}s`, ...repository.split('/')].join('--'))
  const snapshot = (commit: string) => join(directory, 'snapshots', commit)
  const blob = (file: HubFile) => join(directory, 'blobs', file.sha256 ?? file.gitHash)
  const treePath = (commit: string) => join(directory, 'trees', `${commit}.json`)
  return {
    directory,
    snapshot,
    blob,
    readRef: async (revision) => (await readIfThere(join(directory, 'refs', revision)))?.trim() ?? null,
    writeRef: (revision, commit) => writeInto(join(directory, 'refs', revision), commit),
    readTree: async (commit) => parseTree(await readIfThere(treePath(commit))),
    writeTree: (commit, files) => writeInto(treePath(commit), formatTree(files)),
    listSnapshot: (commit) => listFiles(snapshot(commit)),
    holds: async (commit, file) => (await sizeOf(join(snapshot(commit), file.path))) === file.size,
    link: (commit, file) => linkFile(blob(file), join(snapshot(commit), file.path)),
  }
}

/** Those of a commit's files that its snapshot does not hold whole. */
export async function missingFiles(
  cache: RepositoryCache,
  commit: string,
  files: readonly HubFile[],
): Promise<HubFile[]> {
  const held = await Promise.all(files.map((file) => cache.holds(commit, file)))
  return files.filter((_, i) => !held[i])
}

/** Bytes of the file behind a path, or null when there is none. */
export const sizeOf = (path: string): Promise<number | null> =>
  stat(path).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  )

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return null
    throw storageError('read', path, cause)
  }
}

async function writeInto(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) === text) return
  await makeDirectory(dirname(path))
  // Two processes may write the same file: each under a name of its own first.
  const temporary = `${path}.${randomUUID()}`
  await writeFileAtomic(temporary, text)
  await rename(temporary, path)
}

/** @throws MonosemError io */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (cause) {
    throw storageError('make', path, cause)
  }
}

async function listFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => [])
  const sizes = await Promise.all(names.map((name) => sizeOf(join(directory, name))))
  return names.filter((_, i) => sizes[i] !== null).sort()
}

/** Links, or copies where the file system has no links. The name appears at once, so that no reader sees half of it. */
async function linkFile(blob: string, path: string): Promise<void> {
  await makeDirectory(dirname(path))
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await rm(temporary, { force: true })
    await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary))
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {})
    throw storageError('link', path, cause)
  }
}

interface TreeEntry {
  size: number
  blob_id: string
  lfs_sha256?: string
  lfs_size?: number
}

const TREE_VERSION = 1

/** The list of a commit's files as `huggingface_hub` keeps it; null when it is none that we can read. */
function parseTree(json: string | null): HubFile[] | null {
  if (json === null) return null
  try {
    const { format_version: version, files } = JSON.parse(json) as {
      format_version: number
      files: Record<string, TreeEntry>
    }
    if (version !== TREE_VERSION) return null
    const found = Object.entries(files).map(([path, entry]) => ({
      path,
      size: entry.lfs_size ?? entry.size,
      gitHash: entry.blob_id,
      sha256: entry.lfs_sha256 ?? null,
    }))
    return found.every(isHubFile) ? found : null
  } catch {
    return null
  }
}

/** Whether path and hashes are what they should be: they become names of files. */
export const isHubFile = ({ path, size, gitHash, sha256 }: HubFile): boolean =>
  isRelativePath(path) &&
  Number.isSafeInteger(size) &&
  size >= 0 &&
  /^[0-9a-f]{40}$/.test(gitHash) &&
  (sha256 === null || /^[0-9a-f]{64}$/.test(sha256))

function formatTree(files: readonly HubFile[]): string {
  const entries = files.map(({ path, size, gitHash, sha256 }): [string, TreeEntry] => [
    path,
    { size, blob_id: gitHash, ...(sha256 ? { lfs_sha256: sha256, lfs_size: size } : {}) },
  ])
  return JSON.stringify({ format_version: TREE_VERSION, files: Object.fromEntries(entries) }, null, 1)
}
