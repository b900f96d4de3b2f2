import type { Splitting, SplittingFeature } from '../../compare/splitting-file.js'
import type { FeatureTree } from '../protocol.js'

/** Children shown of one feature, besides the one on the way to the feature that was asked for. */
const mostChildren = 12

/**
 * The tree that a feature is part of: from the feature of the smallest dictionary that it comes from, down to everything in the largest that comes from
 * that. Of a feature with very many children the most similar are kept.
 * @param size index of the feature's dictionary
 */
export function featureTree({ summary, features }: Splitting, size: number, feature: number): FeatureTree {
  const nodes: FeatureTree['nodes'] = []
  const way = wayFromRoot(features, size, feature)
  const add = (row: SplittingFeature): void => {
    const shown = shownChildren(row, way)
    nodes.push({
      ...{ size: row.size, feature: row.feature, here: row.size === size && row.feature === feature },
      ...{ fires: row.fires, fate: row.fate, cosine: row.cosine, correlation: row.correlation },
      ...{ tokens: row.tokens, explanation: row.explanation },
      hidden: row.children.length - shown.length,
    })
    for (const child of shown) add(features[row.size + 1][child])
  }
  add(way[0])
  return { sizes: summary.sizes.map(({ features: count }) => count), nodes }
}

/** The feature's ancestors, the oldest first, and itself. */
function wayFromRoot(features: Splitting['features'], size: number, feature: number): SplittingFeature[] {
  const way = [features[size][feature]]
  while (way[0].parent !== null) way.unshift(features[way[0].size - 1][way[0].parent])
  return way
}

function shownChildren({ size, children }: SplittingFeature, way: readonly SplittingFeature[]): number[] {
  const next = way.find((row) => row.size === size + 1)?.feature
  const first = children.slice(0, mostChildren)
  return next !== undefined && children.includes(next) && !first.includes(next) ? [...first, next] : first
}
