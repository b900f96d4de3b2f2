import { setImmediate as otherWork } from 'node:timers/promises'
import { MonosemError } from '../../errors/monosem-error.js'
import type { FeatureStore } from '../../features/feature-store.js'
import type { FeatureIndex } from '../list/feature-index.js'
import { shorter } from '../pages/example.js'
import type { FeatureMap } from '../protocol.js'
import { type StoredAnswer, storedAnswer } from '../stored-answer.js'
import { type Cluster, clustersOf, rounded } from './cluster-names.js'
import type { MapColumns } from './map-columns.js'

/** The whole map as the app draws it. */
export interface MapView {
  /** JSON of a `FeatureMap`; kept until a name changes. @throws MonosemError missing: the run has no map */
  answer(): Promise<StoredAnswer>
}

/** @param map null where the run has none */
export function createMapView(
  store: Pick<FeatureStore, 'summary'>,
  map: MapColumns | null,
  index: FeatureIndex,
): MapView {
  let kept: { version: number; answer: Promise<StoredAnswer> } | null = null
  return {
    async answer() {
      if (!map)
        throw new MonosemError('missing', `this run has no map of its ${store.summary.features} features`, {
          hint: 'make one: monosem features map --run DIR',
        })
      const { version } = index.named()
      if (kept?.version !== version) {
        const answer = mapJson(map, index).then((json) => storedAnswer(json))
        kept = { version, answer }
        answer.catch(() => {
          kept = null
        })
      }
      return kept.answer
    },
  }
}

/** Numbers turned to text before other work gets its turn. */
const slice = 8192

async function mapJson(map: MapColumns, index: FeatureIndex): Promise<string> {
  const { names, columns } = index.named()
  const placed = Int32Array.from(map.cluster.keys()).filter((feature) => map.cluster[feature] >= 0)
  const clusters: Cluster[] = await clustersOf(map, names, index.tokens)
  const column = async (entryOf: (feature: number) => number | null): Promise<string> => {
    const parts: string[] = []
    for (let first = 0; first < placed.length; first += slice) {
      parts.push(
        Array.from(placed.subarray(first, first + slice), (feature) => `${entryOf(feature)}`).join(','),
      )
      await otherWork()
    }
    return `[${parts.join(',')}]`
  }
  const texts: Record<keyof FeatureMap, string> = {
    feature: await column((feature) => feature),
    x: await column((feature) => rounded(map.x[feature])),
    y: await column((feature) => rounded(map.y[feature])),
    cluster: await column((feature) => map.cluster[feature]),
    density: await column((feature) => shorter(columns.density[feature])),
    max: await column((feature) => shorter(columns.max[feature])),
    score: await column((feature) =>
      Number.isNaN(columns.score[feature]) ? null : shorter(columns.score[feature]),
    ),
    clusters: JSON.stringify(clusters),
  }
  return `{${Object.entries(texts).map(([name, text]) => `"${name}":${text}`)}}`
}
