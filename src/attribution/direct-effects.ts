import { foldedUnembedding, outputProjection } from '../features/logit-weights.js'
import { normRstd, type Transformer, type Workspace } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'
import type { Metric } from './metric.js'

/**
 * The direct effect of a unit of each feature, at the last position of a finished forward pass, on the target's logit above the mean of all
 * logits (or on the difference of two logits): d_i W_out W_U / sigma, where the final norm's gain and centring are folded into W_U and its
 * standard deviation sigma is the one of this prompt; a post norm on the way likewise. Logits are those before a soft cap. Null for hook
 * points that do not write to the residual stream.
 * @returns [features] nats per unit of activation
 */
export async function directEffects(
  model: Transformer,
  sae: Sae,
  workspace: Workspace,
  { target, against }: Metric,
  features: readonly number[],
): Promise<number[] | null> {
  const { kernels, config, params } = model
  const projection = outputProjection(config, sae.targetHookName)
  if (projection === null) return null
  if (features.length === 0) return []
  const [D, V] = [config.dModel, config.vocabularySize]
  const { matrix, postNorm } = projection
  const last = workspace.contextLength - 1
  let rstd = (await kernels.readF32(normRstd(workspace, 'ln_final')))[last]
  if (postNorm) rstd *= (await kernels.readF32(normRstd(workspace, postNorm)))[last]
  const unembedding = await foldedUnembedding(model, postNorm)
  const towards = Float64Array.from(
    { length: D },
    (_, i) => unembedding[i * V + target] - (against === null ? 0 : unembedding[i * V + against]),
  )
  const ids = kernels.tensor(Int32Array.from(features), [features.length])
  const directions = kernels.zeros([features.length, sae.dOut])
  kernels.gatherRows(directions, sae.params.wDec, ids)
  const residual = matrix ? kernels.zeros([features.length, D]) : directions
  if (matrix) kernels.linearForward(residual, directions, params[matrix], null)
  const rows = await kernels.readF32(residual)
  for (const tensor of new Set([ids, directions, residual])) kernels.free(tensor)
  return features.map((_, n) => towards.reduce((sum, weight, i) => sum + weight * rows[n * D + i] * rstd, 0))
}
