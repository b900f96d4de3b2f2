import { setImmediate as otherWork } from 'node:timers/promises'
import type { FeatureName } from '../notes/notes-store.js'
import type { FeatureMap } from '../protocol.js'
import type { MapColumns } from './map-columns.js'

export type Cluster = FeatureMap['clusters'][number]

/** Features next to a cluster's centre that its name is chosen from. */
const nearest = 24

/** Characters of a name, and tokens that stand in place of one. */
const longest = 60
const mostTokens = 4

/**
 * The clusters of a map, largest first, each where the median of its features is. It is called by an explanation: of the features next to its centre
 * the one that scores best; where none is explained, by the tokens that most of them fire on.
 * @param tokens of a feature, most active first
 */
export async function clustersOf(
  map: MapColumns,
  names: readonly (FeatureName | undefined)[],
  tokens: (feature: number) => readonly string[],
): Promise<Cluster[]> {
  const clusters: Cluster[] = []
  for (const [cluster, members] of membersOf(map.cluster).entries()) {
    await otherWork()
    if (members.length === 0) continue
    const [x, y] = [medianOf(members, map.x), medianOf(members, map.y)]
    const central = members
      .map((feature) => ({ feature, distance: Math.hypot(map.x[feature] - x, map.y[feature] - y) }))
      .sort((a, b) => a.distance - b.distance || a.feature - b.feature)
      .slice(0, nearest)
      .map(({ feature }) => feature)
    const name = bestName(central, names) ?? commonTokens(central, tokens)
    clusters.push({ cluster, size: members.length, name: shortened(name), x: rounded(x), y: rounded(y) })
  }
  return clusters
}

function membersOf(clusters: Int32Array): number[][] {
  const count = clusters.reduce((most, cluster) => Math.max(most, cluster), -1) + 1
  const members = Array.from({ length: count }, (): number[] => [])
  clusters.forEach((cluster, feature) => {
    if (cluster >= 0) members[cluster].push(feature)
  })
  return members
}

function medianOf(members: readonly number[], values: Float64Array): number {
  const sorted = Float64Array.from(members, (feature) => values[feature]).sort()
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** A person's label before any explanation, then the better score; the nearer feature among equals. */
function bestName(features: readonly number[], names: readonly (FeatureName | undefined)[]): string | null {
  let best: FeatureName | null = null
  const worth = ({ named, score }: FeatureName): number => (named === 'label' ? 2 : (score ?? -1))
  for (const feature of features) {
    const named = names[feature]
    if (named && (best === null || worth(named) > worth(best))) best = named
  }
  return best?.name ?? null
}

function commonTokens(features: readonly number[], tokens: (feature: number) => readonly string[]): string {
  const counts = new Map<string, number>()
  for (const feature of features)
    for (const token of tokens(feature).slice(0, mostTokens)) counts.set(token, (counts.get(token) ?? 0) + 1)
  const common = [...counts].sort(([, a], [, b]) => b - a).slice(0, mostTokens)
  return common.map(([token]) => `‘${token}’`).join(', ')
}

/** Cut between characters, not within one. */
function shortened(name: string): string {
  if (name.length <= longest) return name
  const characters = Array.from(
    new Intl.Segmenter().segment(name.slice(0, longest)),
    ({ segment }) => segment,
  )
  return `${characters.slice(0, -1).join('').trimEnd()}…`
}

/** Thousandths: less than a point of the screen. */
export const rounded = (value: number): number => Math.round(value * 1000) / 1000
