import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How a file of an installed package is used. */
export type PackageFileKind = 'docs' | 'types' | 'code' | 'messages'

export interface PackageFile {
  /** absolute */
  path: string
  /** relative to node_modules, with slashes */
  name: string
  /** e.g. "typescript" or "@types/node" */
  package: string
  kind: PackageFileKind
}

/** A package that every installation has, by which the right node_modules is known. */
const MARKER = 'zod'

/**
 * The node_modules that Monosem's own dependencies are installed in: beside us, or further up when they were hoisted.
 * Null when there is none (a bundle).
 */
export function findNodeModules(from = dirname(fileURLToPath(import.meta.url))): string | null {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = basename(directory) === 'node_modules' ? directory : join(directory, 'node_modules')
    if (existsSync(join(candidate, MARKER, 'package.json'))) return candidate
    if (directory === dirname(directory)) return null
  }
}

/** Packages whose text the corpus is made of, named so that a new dependency changes neither the corpus nor what the demo finds. */
const PACKAGES = new Set(
  (
    '@biomejs/biome @duckdb/node-api @duckdb/node-bindings @huggingface/tokenizers @isaacs/fs-minipass @types/node abbrev chownr ' +
    'commander detect-libc env-paths exponential-backoff fdir graceful-fs isexe minipass minizlib node-addon-api node-gyp nopt ' +
    'picomatch proc-log semver tar tinyglobby typescript undici undici-types which yallist zod'
  ).split(' '),
)

/** All text files of those packages that are installed, sorted by name. */
export async function listPackageFiles(nodeModules: string): Promise<PackageFile[]> {
  const files: PackageFile[] = []
  const walk = async (directory: string, prefix: string, owner: string): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true })
    for (const entry of entries) {
      const name = `${prefix}${entry.name}`
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory()) {
        const isScope = owner === '' && entry.name.startsWith('@')
        const inner = owner || (isScope ? '' : name)
        if (inner !== '' && !PACKAGES.has(inner)) continue
        await walk(join(directory, entry.name), `${name}/`, inner)
      } else if (entry.isFile() && owner !== '') {
        const kind = fileKind(name)
        if (kind) files.push({ path: join(directory, entry.name), name, package: owner, kind })
      }
    }
  }
  await walk(nodeModules, '', '')
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function fileKind(name: string): PackageFileKind | null {
  const file = basename(name).toLowerCase()
  if (file === 'diagnosticmessages.generated.json') return 'messages'
  if (
    /\.(md|markdown|txt)$/.test(file) ||
    /^(license|licence|readme|changelog|notice|authors|history)\b[^.]*$/.test(file)
  )
    return 'docs'
  if (/\.min\.|\.map$|-lock\.json$/.test(file)) return null
  if (/\.d\.[cm]?ts$/.test(file)) return file.endsWith('.d.cts') ? null : 'types'
  return /\.([cm]?js|m?ts|jsx|tsx|py|h|cc|json)$/.test(file) ? 'code' : null
}
