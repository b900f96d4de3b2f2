import type { JobResult } from '../../src/scaling/job-files.js'
import { denseFlopsPerToken } from '../../src/scaling/training-compute.js'

/** A job's result with everything but its size, length and loss made up. */
export function madeResult(
  features: number,
  steps: number,
  loss: number,
  more: Partial<JobResult> = {},
): JobResult {
  const [d, batchSize] = [100, 10]
  const tokens = steps * batchSize
  return {
    name: `features-${features}_steps-${steps}`,
    ...{ architecture: 'topk', hookName: 'blocks.0.mlp.hook_post', d, batchSize },
    ...{ features, steps, tokens, sparsity: 32, seed: 0 },
    compute: tokens * denseFlopsPerToken(d, features),
    ...{
      learningRate: 1e-3,
      deadFraction: 0.25,
      loss,
      normalizedMse: loss,
      penalty: 0,
      l0: 32,
      heldOutTokens: 1000,
    },
    ...more,
  }
}

/** L(N, S) = 0.1 + 20 N^-a + 20 S^-b: at equal N S, the best N grows as C^(b / (a + b)). */
export const madeLoss = (features: number, steps: number, a: number, b: number): number =>
  0.1 + 20 * features ** -a + 20 * steps ** -b

/** All sizes 2^from .. 2^to at budgets of 2^first .. 2^last feature-steps. */
export function madeSweep(
  { a, b }: { a: number; b: number },
  { sizes, budgets }: { sizes: [number, number]; budgets: number[] },
): JobResult[] {
  const results: JobResult[] = []
  for (const budget of budgets)
    for (let power = sizes[0]; power <= sizes[1]; power++)
      results.push(
        madeResult(2 ** power, 2 ** (budget - power), madeLoss(2 ** power, 2 ** (budget - power), a, b)),
      )
  return results
}
