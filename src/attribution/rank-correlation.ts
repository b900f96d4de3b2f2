import { pearson } from '../interp/specificity.js'

/** Spearman correlation: Pearson's of the ranks, equal values sharing their mean rank. Null when either list is constant. */
export const spearman = (a: ArrayLike<number>, b: ArrayLike<number>): number | null =>
  pearson(ranks(a), ranks(b))

function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[i] - values[j])
  const found = new Float64Array(values.length)
  for (let first = 0; first < order.length; ) {
    let end = first
    while (end < order.length && values[order[end]] === values[order[first]]) end++
    for (let i = first; i < end; i++) found[order[i]] = (first + end - 1) / 2
    first = end
  }
  return found
}
