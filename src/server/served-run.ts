import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { FeatureStore } from '../features/feature-store.js'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import type { ModelConfig } from '../model/model-config.js'
import { type FeatureIndex, openFeatureIndex } from './list/feature-index.js'
import { createMapView, type MapView } from './map/map-answer.js'
import { readMapColumns } from './map/map-columns.js'
import { createJobQueue, type JobQueue } from './model/job-queue.js'
import { createModelRunner, type ModelRunner } from './model/model-runner.js'
import { type NotesStore, openNotes } from './notes/notes-store.js'
import { openFeatures } from './open-features.js'
import { openOptionalParts } from './optional-parts.js'
import { findReports, type Reports } from './overview/reports.js'
import { type FeaturePages, openFeaturePages } from './pages/feature-pages.js'
import type { RunInfo } from './protocol.js'
import { openRelatives, type RelativesStore } from './relatives/relatives.js'

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
  map: MapView
  /** why parts that are there are not used: made from other features, or before something else was */
  warnings: readonly string[]
  /** labels, notes and explanations */
  notes: NotesStore
  /** files that can be looked at as they are */
  reports: Reports
  /** what comparisons with other dictionaries say of its features */
  relatives: RelativesStore
  /** what runs texts; null without a model or an autoencoder */
  model: ModelRunner | null
  close(): void
}

export interface ServedRunOptions {
  /** loads the kernels when a text is run for the first time; default: the best there are, of its own */
  kernels?: () => Promise<Kernels>
  /** what all runs of a server share; default: one of its own */
  queue?: JobQueue
}

/**
 * Opens a run directory. Only `features` must be there; each other part adds what can be shown.
 * @param name short name in addresses, see `runNames`
 * @throws MonosemError missing (no run, or its features are not finished), corrupt, format (another version)
 */
export async function openServedRun(
  directory: string,
  name: string,
  { kernels = () => loadKernels(), queue = createJobQueue() }: ServedRunOptions = {},
): Promise<ServedRun> {
  const root = resolve(directory)
  const part = (role: string): string => join(root, role)
  const store = await openFeatures(directory)
  const context = existsSync(part('sae')) ? await readContext(part('model')) : null
  const parts = await openOptionalParts(root)
  const relatives = await openRelatives(root, directory, store.summary.features)
  const has = {
    model: context !== null,
    map: parts.map !== null,
    // The first label makes them, while the server runs.
    get explanations() {
      return existsSync(part('explanations'))
    },
    ablation: parts.ablation !== null,
    relatives: relatives.any,
  }
  const notes = await openNotes(part('explanations'), part('features'), store.summary.features)
  const places = await readMapColumns(parts.map, store.summary.features)
  const index = await openFeatureIndex(store, places, notes)
  const pages = await openFeaturePages(store, root, parts)
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
    index,
    pages,
    map: createMapView(store, has.map ? places : null, index),
    warnings: parts.warnings,
    notes,
    reports: await findReports(root),
    relatives,
    model: has.model ? createModelRunner(root, { store, index }, { kernels, queue }) : null,
    close: () => {
      index.close()
      pages.close()
      store.close()
      relatives.close()
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
