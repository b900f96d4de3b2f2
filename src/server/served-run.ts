import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { FeatureStore } from '../features/feature-store.js'
import type { Kernels } from '../kernels/kernels.js'
import type { ModelConfig } from '../model/model-config.js'
import { type FeatureIndex, openFeatureIndex } from './feature-index.js'
import { type FeaturePages, openFeaturePages } from './feature-pages.js'
import { type NotesStore, openNotes } from './notes-store.js'
import { openFeatures } from './open-features.js'
import { findReports, type Reports } from './overview/reports.js'
import type { RunInfo } from './protocol.js'

/** One run directory, open for as long as the server runs. */
export interface ServedRun {
  info: RunInfo
  /** absolute */
  directory: string
  store: FeatureStore
  /** what the list and the search read */
  index: FeatureIndex
  /** what feature pages are made of */
  pages: FeaturePages
  /** labels, notes and explanations */
  notes: NotesStore
  /** files that can be looked at as they are */
  reports: Reports
  close(): void
}

export interface ServedRunOptions {
  /** loads the kernels when a text is run for the first time */
  kernels: () => Promise<Kernels>
}

/**
 * Opens a run directory. Only `features` must be there; each other part adds what can be shown.
 * @param name short name in addresses, see `runNames`
 * @throws MonosemError missing (no run, or its features are not finished), corrupt, format (another version)
 */
export async function openServedRun(directory: string, name: string): Promise<ServedRun> {
  const root = resolve(directory)
  const part = (role: string): string => join(root, role)
  const store = await openFeatures(directory)
  const context = existsSync(part('sae')) ? await readContext(part('model')) : null
  const has = {
    model: context !== null,
    map: existsSync(part('feature-map')),
    explanations: existsSync(part('explanations')),
    ablation: existsSync(part('ablation')),
  }
  const notes = await openNotes(part('explanations'), part('features'), store.summary.features)
  return {
    info: {
      run: name,
      directory,
      hookName: store.summary.hookName,
      features: store.summary.features,
      context,
      has,
    },
    directory: root,
    store,
    index: await openFeatureIndex(store, root, notes),
    pages: openFeaturePages(store, root),
    notes,
    reports: await findReports(root),
    close: () => {
      store.close()
      notes.close()
    },
  }
}

/** Tokens that the model sees at once; null where there is none that can be read, which the overview tells: the rest can be shown all the same. */
async function readContext(directory: string): Promise<number | null> {
  try {
    const { context } = JSON.parse(await readFile(join(directory, 'model.json'), 'utf8')) as ModelConfig
    return context
  } catch {
    return null
  }
}

/** Names that addresses of the server itself use. */
const reserved = ['api', 'assets', 'login']

/** A short, unique name for each run directory: its last part, with a number where two are the same. */
export function runNames(directories: readonly string[]): string[] {
  const used = new Set<string>(reserved)
  return directories.map((directory) => {
    const plain = basename(resolve(directory)).replace(/[^\w.-]+/g, '-') || 'run'
    let name = plain
    for (let i = 2; used.has(name); i++) name = `${plain}-${i}`
    used.add(name)
    return name
  })
}
