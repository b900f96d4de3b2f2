import { mean } from '../../eval/mean.js'

/** What two sets of directions have in common: mean max cosine similarity (Sharkey, Braun & Millidge 2022), both ways. */
export interface MeanMaxCosine {
  /** mean over true features of the largest cosine with a learned one; 0 when none was learned */
  trueToLearned: number
  /** mean over learned features of the largest cosine with a true one; null when none was learned */
  learnedToTrue: number | null
  /** [true features] the largest cosine of each; 0 when none was learned */
  bestOfTrue: Float64Array
}

/** A true feature counts as recovered when a learned one has at least this cosine with it. */
export const recoveredCosine = 0.95

/**
 * Compares directions by signed cosine: activations are never negative, so the opposite direction is another feature. A direction of
 * norm 0 has cosine 0 with everything.
 * @param truth [G, d], at least one row
 * @param learned [F, d]
 */
export function meanMaxCosine(truth: Float32Array, learned: Float32Array, d: number): MeanMaxCosine {
  const [trueNorms, learnedNorms] = [rowNorms(truth, d), rowNorms(learned, d)]
  const none = learnedNorms.length === 0
  const bestOfTrue = new Float64Array(trueNorms.length).fill(none ? 0 : -1)
  const bestOfLearned = new Float64Array(learnedNorms.length).fill(-1)
  for (let i = 0; i < trueNorms.length; i++)
    for (let j = 0; j < learnedNorms.length; j++) {
      let dot = 0
      for (let c = 0; c < d; c++) dot += truth[i * d + c] * learned[j * d + c]
      const cosine = dot === 0 ? 0 : dot / (trueNorms[i] * learnedNorms[j])
      bestOfTrue[i] = Math.max(bestOfTrue[i], cosine)
      bestOfLearned[j] = Math.max(bestOfLearned[j], cosine)
    }
  return { trueToLearned: mean(bestOfTrue), learnedToTrue: none ? null : mean(bestOfLearned), bestOfTrue }
}

const rowNorms = (rows: Float32Array, d: number): Float64Array =>
  Float64Array.from({ length: rows.length / d }, (_, i) => Math.hypot(...rows.subarray(i * d, (i + 1) * d)))
