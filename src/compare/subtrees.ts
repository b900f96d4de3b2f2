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

/** Whether a judged feature has at least half of its activation where a concept holds. */
export const isAbout = ({ fate, concepts }: SplittingFeature, concept: number): boolean =>
  fate !== 'dead' && fate !== 'underpowered' && concepts[concept] >= 0.5

/**
 * Subtrees to show, each once, those that end in most features of the largest dictionary first: for each concept those whose root is about it and
 * whose root's parent is not, then others of the smallest dictionary.
 * @param perConcept how many for each concept; such as end in one feature only where there are no others
 * @param others how many besides
 */
export function chooseSubtrees(
  splitting: Splitting,
  { perConcept, others }: { perConcept: number; others: number },
): ChosenSubtree[] {
  const { summary, features } = splitting
  const chosen: ChosenSubtree[] = summary.concepts.flatMap((concept, c) => {
    const roots = features.flat().filter((feature) => {
      const parent = feature.parent === null ? null : features[feature.size - 1][feature.parent]
      return isAbout(feature, c) && (parent === null || !isAbout(parent, c))
    })
    const trees = byLeaves(splitting, roots)
    const branching = trees.filter((tree) => leavesOf(tree) > 1)
    const shown = branching.length > 0 ? branching.slice(0, perConcept) : trees.slice(0, 1)
    return shown.map((tree) => ({ concept, tree }))
  })
  const isNew = (feature: SplittingFeature): boolean => !chosen.some(({ tree }) => tree.feature === feature)
  const splits = features[0].filter((feature) => feature.fate === 'split' && isNew(feature))
  const rest = byLeaves(splitting, splits).slice(0, others)
  return [...chosen, ...rest.map((tree) => ({ concept: null, tree }))]
}

/** The subtrees below some features, those with most leaves first. */
const byLeaves = (splitting: Splitting, roots: readonly SplittingFeature[]): Subtree[] =>
  roots.map((root) => subtreeOf(splitting, root)).sort((a, b) => leavesOf(b) - leavesOf(a))
