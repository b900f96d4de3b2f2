import type { Slice } from '../distributed/mesh.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { Transformer, TransformerConfig } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'
import { createLogitShapes, keepShape, type LogitShapes } from './logit-statistics.js'

/** Output tokens of each of F features at both ends of its logit weights, k each, and how the weights are distributed. */
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

/** How an activation reaches the residual stream: through a matrix or as it is, then through a post norm or not. */
export interface OutputProjection {
  /** parameter [width, dModel] */
  matrix: string | null
  /** its scale is the parameter `<postNorm>.w` [dModel] */
  postNorm: string | null
}

/**
 * How a hook point's activation reaches the residual stream. `null` for hook points that do not write to it (queries, keys, normalised
 * activations, ...).
 */
export function outputProjection(
  { postNorms }: Pick<TransformerConfig, 'postNorms'>,
  hookName: string,
): OutputProjection | null {
  const [, block = '', point] = /^(blocks\.\d+\.)?(.+)$/.exec(hookName) ?? []
  const after = (name: string): string | null => (postNorms ? `${block}${name}` : null)
  if (point === 'mlp.hook_post') return { matrix: `${block}mlp.W_out`, postNorm: after('ln2_post') }
  if (point === 'attn.hook_z') return { matrix: `${block}attn.W_O`, postNorm: after('ln1_post') }
  if (point === 'mlp.hook_out') return { matrix: null, postNorm: after('ln2_post') }
  if (point === 'attn.hook_out') return { matrix: null, postNorm: after('ln1_post') }
  return /^hook_(embed|pos_embed|resid_pre|resid_mid|resid_post|attn_out|mlp_out)$/.test(point)
    ? { matrix: null, postNorm: null }
    : null
}

/**
 * The direct effect of each feature on the logits: logit weights = d_j W_out W_U (d_j W_U for hook points of
 * the residual stream), where d_j is the decoder row. Norms on the way (the final one, and post norms) are folded in as far as they are
 * linear: gains multiply, and the final LayerNorm centres the residual stream (an RMSNorm does not); divisions by the standard deviation
 * and a soft cap of the logits are left out, so weights compare within a feature and not in nats. Each feature's weights are centred over
 * the vocabulary, since adding one number to all logits changes nothing. Later layers' reactions are not
 * counted. Returns null for hook points that do not write to the residual stream.
 * @param of only of these features, by their places; default: all
 */
export async function logitEnds(
  model: Transformer,
  sae: Sae,
  k: number,
  of: Slice = { first: 0, count: sae.features },
): Promise<LogitEnds | null> {
  const { kernels, config, params } = model
  const projection = outputProjection(config, sae.targetHookName)
  if (projection === null) return null
  const vocabulary = config.vocabularySize
  const kept = Math.min(k, vocabulary)
  const ends = createEnds(of.count, kept, vocabulary)
  const unembedding = kernels.tensor(await foldedUnembedding(model, projection.postNorm), [
    config.dModel,
    vocabulary,
  ])
  for (let first = 0; first < of.count; first += blockFeatures) {
    const count = Math.min(blockFeatures, of.count - first)
    const directions = kernels.rows(sae.params.wDec, of.first + first, count)
    const weights = await blockWeights(
      kernels,
      directions,
      projection.matrix ? params[projection.matrix] : null,
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
 * W_U [dModel, V] with the final norm's gain multiplied in, and centred both ways: over the residual
 * stream (column means taken off; not where the final norm is an RMSNorm) and over the vocabulary (row means taken off).
 * @param postNorm the norm through which directions reach the residual stream: its gain is multiplied in too
 */
export async function foldedUnembedding(model: Transformer, postNorm: string | null): Promise<Float32Array> {
  const { kernels, params, config } = model
  const { dModel, vocabularySize: vocabulary } = config
  const [gain, folded, postGain] = await Promise.all([
    kernels.readF32(params['ln_final.w']),
    readUnembedding(model),
    postNorm ? kernels.readF32(params[`${postNorm}.w`]) : null,
  ])
  const columnMeans = new Float64Array(vocabulary)
  for (let i = 0; i < dModel; i++)
    for (let v = 0; v < vocabulary; v++) {
      folded[i * vocabulary + v] *= gain[i]
      if (config.norm === 'layer') columnMeans[v] += folded[i * vocabulary + v] / dModel
    }
  for (let i = 0; i < dModel; i++) {
    const row = folded.subarray(i * vocabulary, (i + 1) * vocabulary)
    let mean = 0
    for (let v = 0; v < vocabulary; v++) mean += (row[v] - columnMeans[v]) / vocabulary
    const scale = postGain?.[i] ?? 1
    for (let v = 0; v < vocabulary; v++) row[v] = scale * (row[v] - (columnMeans[v] + mean))
  }
  return folded
}

/** W_U [dModel, V], a copy; W_E transposed where embeddings are tied. */
async function readUnembedding({ kernels, params, config }: Transformer): Promise<Float32Array> {
  if (!config.tiedEmbeddings) return kernels.readF32(params['unembed.W_U'])
  const transposed = kernels.zeros([config.dModel, config.vocabularySize])
  kernels.transpose(transposed, params['embed.W_E'])
  const values = await kernels.readF32(transposed)
  kernels.free(transposed)
  return values
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
