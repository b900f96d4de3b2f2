import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import type { FeatureStore } from '../../features/feature-store.js'
import { requireFeature } from '../../sae/require-feature.js'
import { createLru } from '../lru.js'
import type { OptionalParts } from '../optional-parts.js'
import { type StoredAnswer, storedAnswer } from '../stored-answer.js'
import { openPageArchive, type PageArchive } from './page-archive.js'
import { openPageMaker, type PageMaker } from './page-maker.js'

/** Pages of features: JSON of a `FeaturePage` each. */
export interface FeaturePages {
  /** @throws MonosemError missing (no such feature), corrupt, io */
  get(feature: number): Promise<StoredAnswer>
  /** whether they are read as they were made by `monosem features pages` */
  ready: boolean
  close(): void
}

/** Bytes of pages kept in memory. */
const memory = 32 * 2 ** 20

/**
 * Reads pages from `<run>/feature-pages`, or makes them from the tables one by one, in some ten milliseconds each.
 * @param parts gets a warning where the directory is of other features, or of another map
 */
export async function openFeaturePages(
  store: FeatureStore,
  run: string,
  parts: OptionalParts,
): Promise<FeaturePages> {
  const { features } = store.summary
  const archive = await findArchive(run, parts, features)
  const maker = archive ? null : await openPageMaker(store, parts)
  const make = (feature: number): Promise<StoredAnswer> =>
    archive ? archive.get(feature) : makePage(maker as PageMaker, feature)
  const kept = createLru<number, StoredAnswer>(memory, ({ gzip }) => gzip.length)
  const underway = new Map<number, Promise<StoredAnswer>>()
  const load = async (feature: number): Promise<StoredAnswer> => {
    try {
      const page = await make(feature)
      kept.set(feature, page)
      return page
    } finally {
      underway.delete(feature)
    }
  }
  return {
    ready: archive !== null,
    get: async (feature) => {
      requireFeature(feature, features)
      const known = kept.get(feature)
      if (known) return known
      const loading = underway.get(feature) ?? load(feature)
      underway.set(feature, loading)
      return loading
    },
    close: () => {
      maker?.close()
      void archive?.close()
    },
  }
}

async function makePage(maker: PageMaker, feature: number): Promise<StoredAnswer> {
  const [json] = await maker.pages([feature])
  return storedAnswer(json)
}

async function findArchive(
  run: string,
  { map, ablation, warnings }: OptionalParts,
  features: number,
): Promise<PageArchive | null> {
  const directory = join(run, 'feature-pages')
  if (!existsSync(directory)) return null
  try {
    const archive = await openPageArchive(directory, {
      features: join(run, 'features'),
      'feature-map': map === null ? null : join(run, 'feature-map'),
      ablation: ablation === null ? null : join(run, 'ablation'),
    })
    if (archive.features === features) return archive
    throw new MonosemError('corrupt', `${directory}: expected ${features} pages, got ${archive.features}`)
  } catch (error) {
    if (!(error instanceof MonosemError) || error.code !== 'config') throw error
    warnings.push(`${error.message}; pages are made when they are asked for, which is slower`)
    return null
  }
}
