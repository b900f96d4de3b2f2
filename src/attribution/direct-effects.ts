import { foldedUnembedding, outputProjection } from '../features/logit-weights.js'
import type { Metric } from '../model/logit-metric.js'
import type { Transformer, Workspace } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'

/**
 * The direct effect of a unit of each feature, at the last position of a finished forward pass, on the target's logit above the mean of all
 * logits (or on the difference of two logits): d_i W_out W_U / sigma, where the final LayerNorm's gain and centring are folded into W_U and its
 * standard deviation sigma is the one of this prompt. Null for hook points that do not write to the residual stream.
 * @returns [features] nats per unit of activation
 */
export async function directEffects(
  model: Transformer,
  sae: Sae,
  workspace: Workspace,
  { target, against }: Metric,
  features: readonly number[],
): Promise<number[] | null> {
  const projection = outputProjection(sae.targetHookName)
  if (projection === undefined) return null
  if (features.length === 0) return []
  const { kernels, config } = model
  const [D, V] = [config.dModel, config.vocabularySize]
  const rstd = (await kernels.readF32(workspace.statistics['ln_final.rstd']))[workspace.contextLength - 1]
  const unembedding = await foldedUnembedding(model)
  const towards = Float64Array.from(
    { length: D },
    (_, i) => unembedding[i * V + target] - (against === null ? 0 : unembedding[i * V + against]),
  )
  const ids = kernels.tensor(Int32Array.from(features), [features.length])
  const directions = kernels.zeros([features.length, sae.dOut])
  kernels.gatherRows(directions, sae.params.wDec, ids)
  const residual = projection ? kernels.zeros([features.length, D]) : directions
  if (projection) kernels.linearForward(residual, directions, model.params[projection], null)
  const rows = await kernels.readF32(residual)
  for (const tensor of new Set([ids, directions, residual])) kernels.free(tensor)
  return features.map((_, n) => towards.reduce((sum, weight, i) => sum + weight * rows[n * D + i] * rstd, 0))
}
