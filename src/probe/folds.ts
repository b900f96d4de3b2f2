import type { Random } from '../random/random.js'

/**
 * Deals texts into folds so that every fold has about the same share of every class. Which ones go where is random, the sizes are
 * not. [texts] fold of each
 */
export function stratifiedFolds(
  labels: Int32Array,
  classes: number,
  folds: number,
  random: Random,
): Int32Array {
  const foldOf = new Int32Array(labels.length)
  let next = 0
  for (let c = 0; c < classes; c++) {
    const texts: number[] = []
    labels.forEach((label, i) => {
      if (label === c) texts.push(i)
    })
    for (const text of random.shuffle(texts)) foldOf[text] = next++ % folds
  }
  return foldOf
}

/** Indices of the texts in a fold, and of all others. */
export function splitFold(foldOf: Int32Array, fold: number): { train: Int32Array; test: Int32Array } {
  const all = Int32Array.from(foldOf.keys())
  return { train: all.filter((i) => foldOf[i] !== fold), test: all.filter((i) => foldOf[i] === fold) }
}
