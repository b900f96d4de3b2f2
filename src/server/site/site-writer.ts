import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { dataFolder } from './site-layout.js'

/** Files of a site that is being written, and how large they are. */
export interface SiteWriter {
  /** A file of the site as it is. */
  file(path: string, content: string | Uint8Array): Promise<void>
  /** Gzipped JSON in the data folder. */
  data(path: string, json: string): Promise<void>
  /** what was written so far, by kind */
  sizes: ReadonlyMap<string, SiteSize>
}

export interface SiteSize {
  files: number
  bytes: number
}

const compress = promisify(gzip)

/** @param kindOf what a file counts as */
export function createSiteWriter(directory: string, kindOf: (path: string) => string): SiteWriter {
  const sizes = new Map<string, SiteSize>()
  const made = new Set<string>()
  async function file(path: string, content: string | Uint8Array): Promise<void> {
    const target = join(directory, path)
    const folder = dirname(target)
    if (!made.has(folder)) {
      await mkdir(folder, { recursive: true })
      made.add(folder)
    }
    await writeFile(target, content)
    const kind = kindOf(path)
    const { files, bytes } = sizes.get(kind) ?? { files: 0, bytes: 0 }
    sizes.set(kind, { files: files + 1, bytes: bytes + Buffer.byteLength(content) })
  }
  return {
    file,
    data: async (path, json) => file(`${dataFolder}/${path}`, await compress(json)),
    sizes,
  }
}
