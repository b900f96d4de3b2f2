import type { Splitting, SplittingFeature } from './splitting-file.js'

/** A feature with what becomes of it in the larger dictionaries. */
export interface Subtree {
  feature: SplittingFeature
  children: Subtree[]
}

/** A subtree that is worth a look, and why. */
export interface ChosenSubtree {
  /** name of the concept that the root is about; null where it was chosen for its size */
  concept: string | null
  tree: Subtree
}

/** The feature of a dictionary with everything below it. */
export function subtreeOf({ features }: Pick<Splitting, 'features'>, feature: SplittingFeature): Subtree {
  return {
    feature,
    children: feature.children.map((id) => subtreeOf({ features }, features[feature.size + 1][id])),
  }
}

/** The feature itself, or what it descends from in the smallest dictionary that knows it. */
export function rootOf(
  { features }: Pick<Splitting, 'features'>,
  feature: SplittingFeature,
): SplittingFeature {
  return feature.parent === null ? feature : rootOf({ features }, features[feature.size - 1][feature.parent])
}

/** Features of the largest dictionary that a subtree ends in. */
export function leavesOf({ feature, children }: Subtree): number {
  if (feature.fate === 'last') return 1
  return children.reduce((sum, child) => sum + leavesOf(child), 0)
}

/** Shares from which on a subtree is one of a concept's. */
const conceptShare = 0.5

/**
 * Subtrees to show: for each concept the root, in the smallest dictionary that has one, that ends in most features of the largest; then those of the
 * smallest dictionary that split most. A subtree is shown once.
 * @param others how many besides those of concepts
 */
export function chooseSubtrees(splitting: Splitting, others: number): ChosenSubtree[] {
  const { summary, features } = splitting
  const chosen: ChosenSubtree[] = []
  const isNew = ({ size, feature }: SplittingFeature): boolean =>
    !chosen.some(({ tree }) => tree.feature.size === size && tree.feature.feature === feature)
  const best = (candidates: readonly SplittingFeature[]): Subtree | undefined =>
    candidates
      .filter(isNew)
      .map((feature) => subtreeOf(splitting, feature))
      .sort((a, b) => leavesOf(b) - leavesOf(a))[0]
  summary.concepts.forEach((concept, c) => {
    for (const ofSize of features) {
      const roots = ofSize.filter(({ fate, concepts }) => isJudged(fate) && concepts[c] >= conceptShare)
      const tree = best(roots)
      if (!tree || (leavesOf(tree) < 2 && ofSize !== features.at(-1))) continue
      chosen.push({ concept, tree })
      break
    }
  })
  const splits = features[0]
    .filter((feature) => feature.fate === 'split' && isNew(feature))
    .map((feature) => subtreeOf(splitting, feature))
    .sort((a, b) => leavesOf(b) - leavesOf(a))
  return [...chosen, ...splits.slice(0, others).map((tree) => ({ concept: null, tree }))]
}

const isJudged = (fate: SplittingFeature['fate']): boolean => fate !== 'dead' && fate !== 'underpowered'
