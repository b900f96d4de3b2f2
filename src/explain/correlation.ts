import { MonosemError } from '../errors/monosem-error.js'
import { isConstant, pearson, ranks } from '../interp/correlation.js'

/**
 * Spearman's rank correlation, ties averaged: the score of an explanation in Bricken et al. 2023. A constant prediction scores 0,
 * as there. Null when the truth is constant, so that there is nothing to predict.
 * @param predicted [n] @param truth [n]
 * @throws MonosemError shape: lengths differ, or a number is not finite
 */
export function spearmanScore(predicted: ArrayLike<number>, truth: ArrayLike<number>): number | null {
  check(predicted, truth)
  return scoreOf(ranks(predicted), ranks(truth))
}

/** Pearson's correlation of a prediction with the truth, with the same rules for constants as `spearmanScore`. */
export function pearsonScore(predicted: ArrayLike<number>, truth: ArrayLike<number>): number | null {
  check(predicted, truth)
  return scoreOf(predicted, truth)
}

function scoreOf(predicted: ArrayLike<number>, truth: ArrayLike<number>): number | null {
  return isConstant(truth) ? null : (pearson(predicted, truth) ?? 0)
}

function check(predicted: ArrayLike<number>, truth: ArrayLike<number>): void {
  if (predicted.length !== truth.length)
    throw new MonosemError(
      'shape',
      `correlation: expected as many predictions as truths, got ${predicted.length} and ${truth.length}`,
    )
  for (const [name, values] of Object.entries({ predicted, truth }))
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i]))
        throw new MonosemError(
          'shape',
          `correlation: expected finite numbers, got ${name}[${i}] = ${values[i]}`,
        )
}
