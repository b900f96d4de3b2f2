import type { Partners } from './partners.js'

/** How the features of a dictionary are like those of a smaller one, as far as the tree needs it. */
export interface StepEvidence {
  /** for each feature of the larger dictionary, the best partners in the smaller one by correlation; none where it is not judged */
  partners: Partners
  /** cosine of the decoder rows of feature `child` of the larger and `parent` of the smaller one */
  cosine: (child: number, parent: number) => number
}

export interface Thresholds {
  cosine: number
  correlation: number
}

/** Where the features of the larger dictionary come from. */
export interface Parents {
  /** [F of the larger] feature of the smaller dictionary; -1: none */
  parent: Int32Array
  /** [F of the larger] of the pair; NaN without a parent */
  cosine: Float64Array
  correlation: Float64Array
  /** [F of the larger] tokens on which both fire */
  together: Int32Array
}

/**
 * A feature of the larger dictionary is the child of the feature of the smaller one that is most like it by both criteria together: the largest cosine +
 * correlation, among those that reach both thresholds; among equals the one of the larger correlation. Looked for among the k partners of
 * the largest correlation.
 */
export function findParents({ partners, cosine }: StepEvidence, thresholds: Thresholds): Parents {
  const { k, ids, correlations, together } = partners
  const children = ids.length / k
  const found: Parents = {
    parent: new Int32Array(children).fill(-1),
    cosine: new Float64Array(children).fill(Number.NaN),
    correlation: new Float64Array(children).fill(Number.NaN),
    together: new Int32Array(children),
  }
  for (let child = 0; child < children; child++) {
    let best = Number.NEGATIVE_INFINITY
    for (let place = child * k; place < (child + 1) * k; place++) {
      if (ids[place] < 0 || correlations[place] < thresholds.correlation) break
      const similarity = cosine(child, ids[place])
      if (similarity < thresholds.cosine || similarity + correlations[place] <= best) continue
      best = similarity + correlations[place]
      found.parent[child] = ids[place]
      found.cosine[child] = similarity
      found.correlation[child] = correlations[place]
      found.together[child] = together[place]
    }
  }
  return found
}

/** The children of each feature of the smaller dictionary, the most similar first. */
export function childrenOf({ parent, cosine, correlation }: Parents, features: number): number[][] {
  const children: number[][] = Array.from({ length: features }, () => [])
  parent.forEach((id, child) => {
    if (id >= 0) children[id].push(child)
  })
  const similarity = (child: number): number => cosine[child] + correlation[child]
  for (const list of children) list.sort((a, b) => similarity(b) - similarity(a) || a - b)
  return children
}
