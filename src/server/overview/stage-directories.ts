import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../../storage/stage.js'

/** A directory inside a run with a manifest that can be read. */
export interface StageDirectory {
  name: string
  directory: string
  manifest: Manifest
}

/**
 * The finished stages in a run, by name. What is none, or cannot be read, is left out.
 * @param depth 1: those that lie directly in it; 2: those in its other folders too, as `baselines/report`
 */
export async function stageDirectories(root: string, depth = 1): Promise<StageDirectory[]> {
  const found: StageDirectory[] = []
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.endsWith('.partial')) continue
    const directory = join(root, entry.name)
    const manifest = await readManifest(directory)
    if (manifest) found.push({ name: entry.name, directory, manifest })
    else if (depth > 1)
      for (const inner of await stageDirectories(directory, depth - 1))
        found.push({ ...inner, name: `${entry.name}/${inner.name}` })
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Null where a directory is no finished stage: that is nothing wrong. */
async function readManifest(directory: string): Promise<Manifest | null> {
  try {
    const manifest = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as Manifest
    return typeof manifest.stage === 'string' && typeof manifest.files === 'object' ? manifest : null
  } catch {
    return null
  }
}
