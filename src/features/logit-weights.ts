import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { Transformer } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'
import { createLogitShapes, keepShape, type LogitShapes } from './logit-statistics.js'

/** Output tokens of each feature at both ends of its logit weights, k each, and how the weights are distributed. */
export interface LogitEnds {
  k: number
  /** [F, k] token ids and weights, largest weight first */
  topTokens: Int32Array
  topWeights: Float32Array
  /** [F, k] smallest weight first */
  bottomTokens: Int32Array
  bottomWeights: Float32Array
  shapes: LogitShapes
}

/** Features per block of the [F, V] matrix, which is never held whole. */
const blockFeatures = 256

/**
 * How a hook point's activation reaches the residual stream: by which parameter ([width, dModel]), or as it
 * is. `undefined` for hook points that do not write to the residual stream (queries, keys, normalised
 * activations, ...).
 */
export function outputProjection(hookName: string): string | null | undefined {
  const [, block, point] = /^(blocks\.\d+\.)?(.+)$/.exec(hookName) ?? []
  if (point === 'mlp.hook_post') return `${block}mlp.W_out`
  if (point === 'attn.hook_z') return `${block}attn.W_O`
  return /^hook_(embed|pos_embed|resid_pre|resid_mid|resid_post|attn_out|mlp_out)$/.test(point)
    ? null
    : undefined
}

/**
 * The direct effect of each feature on the logits: logit weights = d_j W_out W_U (d_j W_U for hook points of
 * the residual stream), where d_j is the decoder row. The final LayerNorm is folded in as far as it is
 * linear: its gain multiplies W_U and the residual stream is centred; its division by the standard deviation
 * is left out, so weights compare within a feature and not in nats. Each feature's weights are centred over
 * the vocabulary, since adding one number to all logits changes nothing. Later layers' reactions are not
 * counted. Returns null for hook points that do not write to the residual stream.
 */
export async function logitEnds(model: Transformer, sae: Sae, k: number): Promise<LogitEnds | null> {
  const projection = outputProjection(sae.targetHookName)
  if (projection === undefined) return null
  const { kernels, config } = model
  const vocabulary = config.vocabularySize
  const kept = Math.min(k, vocabulary)
  const ends = createEnds(sae.features, kept, vocabulary)
  const unembedding = kernels.tensor(await foldedUnembedding(model), [config.dModel, vocabulary])
  for (let first = 0; first < sae.features; first += blockFeatures) {
    const count = Math.min(blockFeatures, sae.features - first)
    const directions = kernels.rows(sae.params.wDec, first, count)
    const weights = await blockWeights(
      kernels,
      directions,
      projection ? model.params[projection] : null,
      unembedding,
    )
    for (let i = 0; i < count; i++) {
      const ofFeature = weights.subarray(i * vocabulary, (i + 1) * vocabulary)
      keepEnds(ends, first + i, ofFeature)
      keepShape(ends.shapes, first + i, ofFeature)
    }
  }
  kernels.free(unembedding)
  return ends
}

function createEnds(features: number, k: number, vocabulary: number): LogitEnds {
  return {
    k,
    topTokens: new Int32Array(features * k),
    topWeights: new Float32Array(features * k),
    bottomTokens: new Int32Array(features * k),
    bottomWeights: new Float32Array(features * k),
    shapes: createLogitShapes(features, vocabulary),
  }
}

/** directions [n, D] -> logit weights [n, V] */
async function blockWeights(
  kernels: Kernels,
  directions: Tensor,
  projection: Tensor | null,
  unembedding: Tensor,
): Promise<Float32Array> {
  const n = directions.shape[0]
  const [dModel, vocabulary] = unembedding.shape
  const weights = kernels.zeros([n, vocabulary])
  let residual: Tensor | null = null
  if (projection) {
    residual = kernels.zeros([n, dModel])
    kernels.linearForward(residual, directions, projection, null)
  }
  kernels.linearForward(weights, residual ?? directions, unembedding, null)
  const values = await kernels.readF32(weights)
  kernels.free(weights)
  if (residual) kernels.free(residual)
  return values
}

/**
 * W_U [dModel, V] with the final LayerNorm's gain multiplied in, and centred both ways: over the residual
 * stream (column means taken off) and over the vocabulary (row means taken off).
 */
async function foldedUnembedding(model: Transformer): Promise<Float32Array> {
  const { kernels, params, config } = model
  const { dModel, vocabularySize: vocabulary } = config
  const [gain, source] = await Promise.all([
    kernels.readF32(params['ln_final.w']),
    kernels.readF32(params['unembed.W_U']),
  ])
  const folded = source.slice()
  const columnMeans = new Float64Array(vocabulary)
  for (let i = 0; i < dModel; i++)
    for (let v = 0; v < vocabulary; v++) {
      folded[i * vocabulary + v] *= gain[i]
      columnMeans[v] += folded[i * vocabulary + v] / dModel
    }
  for (let i = 0; i < dModel; i++) {
    const row = folded.subarray(i * vocabulary, (i + 1) * vocabulary)
    let mean = 0
    for (let v = 0; v < vocabulary; v++) mean += (row[v] - columnMeans[v]) / vocabulary
    for (let v = 0; v < vocabulary; v++) row[v] -= columnMeans[v] + mean
  }
  return folded
}

function keepEnds(ends: LogitEnds, feature: number, weights: Float32Array): void {
  const { k } = ends
  const top = largest(weights, k, 1)
  const bottom = largest(weights, k, -1)
  for (let i = 0; i < k; i++) {
    ends.topTokens[feature * k + i] = top[i]
    ends.topWeights[feature * k + i] = weights[top[i]]
    ends.bottomTokens[feature * k + i] = bottom[i]
    ends.bottomWeights[feature * k + i] = weights[bottom[i]]
  }
}

/** Indices of the k largest of sign * values, largest first; among equals the lower index first. */
export function largest(values: Float32Array, k: number, sign: 1 | -1): number[] {
  const kept: number[] = []
  for (let i = 0; i < values.length; i++) {
    const value = sign * values[i]
    if (kept.length === k && (k === 0 || value <= sign * values[kept[k - 1]])) continue
    let at = kept.length
    while (at > 0 && sign * values[kept[at - 1]] < value) at--
    kept.splice(at, 0, i)
    if (kept.length > k) kept.pop()
  }
  return kept
}
