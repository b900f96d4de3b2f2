import { MonosemError } from '../errors/monosem-error.js'
import type { FeatureModelConfig } from './feature-model-config.js'

/** Who may fire only with whom. */
export interface Hierarchy {
  /** [G] parent of each feature, -1 for none; a parent's id is below its children's */
  parents: Int32Array<ArrayBuffer>
  /** children of each feature, ascending; empty for most */
  children: readonly (readonly number[])[]
}

/**
 * Trees over the first, most frequent features, level by level: ids 0 .. roots - 1 are the roots, then all their children follow, then all grandchildren.
 * Features beyond the trees have no parent. The order is SAELens's; the paper does not say which features are in the trees.
 * @throws MonosemError config, when the trees need more features than there are
 */
export function createHierarchy(
  config: Pick<FeatureModelConfig, 'trueFeatures' | 'roots' | 'branching' | 'depth'>,
): Hierarchy {
  const { trueFeatures, roots, branching, depth } = config
  const parents = new Int32Array(trueFeatures).fill(-1)
  const children: number[][] = Array.from({ length: trueFeatures }, () => [])
  let level = Array.from({ length: roots }, (_, i) => i)
  let next = roots
  for (let below = 0; below < depth; below++) {
    requireFeatures(next + level.length * branching, trueFeatures)
    const nextLevel: number[] = []
    for (const parent of level)
      for (let i = 0; i < branching; i++) {
        parents[next] = parent
        children[parent].push(next)
        nextLevel.push(next++)
      }
    level = nextLevel
  }
  requireFeatures(next, trueFeatures)
  return { parents, children }
}

function requireFeatures(needed: number, given: number): void {
  if (needed > given)
    throw new MonosemError('config', `the hierarchy needs at least ${needed} features, there are ${given}`, {
      hint: 'raise --true-features, or lower --roots, --branching or --depth',
    })
}

/**
 * The probability with which each feature is drawn where its parent fires, so that it fires about as often as asked for (SAELens's
 * compensation): p_j / p_parent, times 1 + (sum of the siblings' p) / p_parent where siblings exclude each other; at most 1. The second factor is the
 * expected number of winners too many, not the exact correction, and a parent that fires rarer than its children should together cannot be made up for:
 * in SynthSAEBench-16k 59 features a sample are asked for and about 34 fire.
 */
export function compensatedProbabilities(
  asked: Float64Array,
  { parents, children }: Hierarchy,
  exclusiveSiblings: boolean,
): Float64Array {
  return asked.map((p, j) => {
    const parent = parents[j]
    if (parent < 0) return p
    const siblings = children[parent].reduce((sum, sibling) => sum + asked[sibling], 0) - p
    const exclusion = exclusiveSiblings ? 1 + Math.max(0, siblings) / asked[parent] : 1
    return Math.min(1, (p / asked[parent]) * exclusion)
  })
}

/**
 * How often each feature fires in the end, all tie-breaks included, if what is drawn were independent: exact without correlations, and
 * a close estimate with weak ones.
 * @param drawn [G] probability that a feature is drawn with a positive magnitude, given that its parent fires
 */
export function firingProbabilities(
  drawn: Float64Array,
  { parents, children }: Hierarchy,
  exclusiveSiblings: boolean,
): Float64Array {
  const fires = drawn.slice()
  for (let j = 0; j < fires.length; j++) {
    if (parents[j] < 0) continue
    const siblings = exclusiveSiblings ? children[parents[j]].filter((sibling) => sibling !== j) : []
    fires[j] *= fires[parents[j]] * winningShare(siblings.map((sibling) => drawn[sibling]))
  }
  return fires
}

/** E[1 / (1 + K)], K being how many of some independent competitors were drawn: the winner is chosen evenly among all that were. */
function winningShare(competitors: readonly number[]): number {
  let counts = [1] // counts[k]: probability that k were drawn
  for (const p of competitors) {
    const next = [...counts.map((weight) => weight * (1 - p)), 0]
    counts.forEach((weight, k) => {
      next[k + 1] += weight * p
    })
    counts = next
  }
  return counts.reduce((sum, weight, k) => sum + weight / (k + 1), 0)
}
