import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../../storage/stage.js'

/** A directory inside a run with a manifest that can be read. */
export interface StageDirectory {
  name: string
  directory: string
  manifest: Manifest
}

/** The finished stages that lie directly in a run, by name. What is none, or cannot be read, is left out. */
export async function stageDirectories(root: string): Promise<StageDirectory[]> {
  const found: StageDirectory[] = []
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.endsWith('.partial')) continue
    const directory = join(root, entry.name)
    try {
      const manifest = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as Manifest
      if (typeof manifest.stage === 'string' && typeof manifest.files === 'object')
        found.push({ name: entry.name, directory, manifest })
    } catch {
      // No stage: that is nothing wrong.
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}
