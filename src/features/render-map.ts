import type { Tokenizer } from '../corpus/tokenizer.js'
import { formatNumber } from '../progress/rate.js'
import { cutToWidth, displayWidth } from '../terminal/display-width.js'
import { renderTable } from '../terminal/table.js'
import type { FeatureMap } from './feature-map.js'
import type { FeatureRow } from './feature-store.js'
import { segmentsOf } from './segments.js'

/** How clusters are shown. */
export interface MapRenderOptions {
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>
  /** columns; default 100 */
  width?: number
  /** clusters shown, from the largest; default 20 */
  clusters?: number
}

/**
 * The largest clusters, one a line: how many features, the tokens that their features fire on most strongly, and a few of the features:
 * those closest to the others of their cluster.
 * @param features rows of the feature store the map was made from
 */
export function renderClusters(
  map: FeatureMap,
  features: readonly FeatureRow[],
  options: MapRenderOptions,
): string {
  const { width = 100, clusters = 20 } = options
  if (map.summary.clusters === 0) return 'no feature has a place on the map'
  const tokenOf = new Map(features.map((row) => [row.feature, strongestToken(row, options)]))
  const members = Array.from({ length: map.summary.clusters }, (): number[] => [])
  for (const { feature, cluster } of map.rows) if (cluster !== null) members[cluster].push(feature)
  const overall = countTokens(
    map.rows.map(({ feature }) => feature),
    tokenOf,
  )
  const shown = members.slice(0, clusters)
  const ids = shown.map((own) => closestToOthers(map, own).slice(0, 4).join(' '))
  const idWidth = Math.max(0, ...ids.map(displayWidth))
  const room = Math.max(20, width - 'cluster  features'.length - idWidth - 4)
  const rows = shown.map((own, cluster) => [
    String(cluster),
    formatNumber(own.length),
    listOf(typicalTokens(own, tokenOf, overall, map.summary.placed), room),
    ids[cluster],
  ])
  const table = renderTable(
    [
      { heading: 'cluster' },
      { heading: 'features' },
      { heading: 'strongest on', align: 'left' },
      { heading: 'such as features', align: 'left' },
    ],
    rows,
  )
  const rest = members.slice(clusters)
  if (rest.length === 0) return table
  const left = rest.reduce((sum, own) => sum + own.length, 0)
  return `${table}\n… and ${counted(rest.length, 'smaller cluster')} with ${counted(left, 'feature')}`
}

/** "1 feature", "2,000 features" */
const counted = (n: number, noun: string): string => `${formatNumber(n)} ${noun}${n === 1 ? '' : 's'}`

/** The token of a feature's strongest example as it can be read; null where there is none. */
function strongestToken({ topExample }: FeatureRow, { tokenizer }: MapRenderOptions): string | null {
  if (!topExample) return null
  const { tokens, activations, tokenIndex } = topExample
  const segments = segmentsOf(tokens, activations, tokenizer)
  const own = segments.find(({ first, end }) => tokenIndex >= first && tokenIndex < end)
  return own ? own.text.replaceAll(' ', '␣') : null
}

function countTokens(features: readonly number[], tokenOf: ReadonlyMap<number, string | null>) {
  const counts = new Map<string, number>()
  for (const feature of features) {
    const token = tokenOf.get(feature)
    if (token) counts.set(token, (counts.get(token) ?? 0) + 1)
  }
  return counts
}

/**
 * Tokens that are strongest for more of a cluster's features than chance would have it, by n log(share in the cluster / share in all).
 */
function typicalTokens(
  own: readonly number[],
  tokenOf: ReadonlyMap<number, string | null>,
  overall: ReadonlyMap<string, number>,
  placed: number,
): string[] {
  const scored = Array.from(countTokens(own, tokenOf), ([token, count]) => {
    const expected = ((overall.get(token) as number) * own.length) / placed
    return { token, score: count * Math.log(count / expected) }
  })
  return scored.sort((a, b) => b.score - a.score).map(({ token }) => token)
}

/** As many tokens as fit, with blanks between them. */
function listOf(tokens: readonly string[], width: number): string {
  let text = ''
  for (const token of tokens) {
    const next = text === '' ? token : `${text} ${token}`
    if (displayWidth(next) > width) break
    text = next
  }
  return text === '' && tokens.length > 0 ? cutToWidth(tokens[0], width) : text
}

/** A cluster's features, first those with the largest sum of cosines with their neighbours in it. */
function closestToOthers({ rows }: FeatureMap, own: readonly number[]): number[] {
  const closeness = new Map(
    own.map((feature) => {
      const near = rows[feature].neighbours.filter(
        (other) => rows[other.feature].cluster === rows[feature].cluster,
      )
      return [feature, near.reduce((sum, { cosine }) => sum + cosine, 0)]
    }),
  )
  return own.toSorted((a, b) => (closeness.get(b) as number) - (closeness.get(a) as number) || a - b)
}
