import { setImmediate } from 'node:timers/promises'
import { requireSaeFits } from '../activations/sae-on-model.js'
import { pearson, spearman } from '../interp/correlation.js'
import type { Tensor } from '../kernels/kernels.js'
import { type Metric, metricGradient, metricValue, softmax } from '../model/logit-metric.js'
import type { Transformer, Workspace } from '../model/transformer.js'
import { backwardFromLogits, createWorkspace, forward, freeWorkspace } from '../model/transformer.js'
import { readTokenScales } from '../sae/input-normalization.js'
import { encode, reconstruct, type Sae } from '../sae/sae.js'
import { ablationEffects } from './ablation.js'
import type { Agreement, Attribution, FeatureAttribution } from './attribution.js'
import { directEffects } from './direct-effects.js'

/*
 * The autoencoder is spliced into the model with its error: x = sum_i f_i d_i + b_dec + error, so no number of the forward pass changes. With the
 * error held fixed, the gradient of the metric m with respect to the activation of feature i at position p is g_p . d_i, where g is the
 * gradient at the hook point that the autoencoder reconstructs, and
 *
 *   gradient x activation = f_i(p) g_p . d_i
 *
 * (times the factor of the token where the autoencoder reads normed tokens) is what m would lose without the feature if it were linear in it (Templeton et al. 2024, "Scaling Monosemanticity", appendix on
 * attributions; Marks et al. 2024, "Sparse Feature Circuits", eq. 3). The direct effect is the part of it that goes straight to the logits, with the
 * final LayerNorm's scale held fixed. Both are checked against what really happens when the feature is taken out.
 */

export interface AttributeOptions {
  metric: Metric
  /** one line for each feature and position, or each feature at all its positions. Default 'position' */
  by?: 'position' | 'feature'
  /** ablate this many of the largest. Default 0 */
  verify?: number
}

/**
 * Which features act for the next token after a prompt.
 * @param tokens of the prompt, the start-of-text token first, see `promptTokens`
 * @throws MonosemError config (a prompt longer than the context), missing, shape (the autoencoder does not fit the model)
 */
export async function attribute(
  model: Transformer,
  sae: Sae,
  tokens: Int32Array,
  { metric, by = 'position', verify = 0 }: AttributeOptions,
): Promise<Attribution> {
  requireSaeFits(model, sae)
  const workspace = createWorkspace(model, 1, tokens.length)
  try {
    const logits = await gradientPass(model, workspace, tokens, metric)
    const scales = await readTokenScales(sae, workspace.activations[sae.hookName])
    const pairs = await pairEffects(model, sae, workspace, tokens, scales)
    const scaled = inRawUnits(pairs, scales)
    await setImmediate()
    // A position that no later one looks at has a gradient of exactly 0: nothing to list, and nothing to flatter the correlation with.
    const connected = pairs.filter(({ gradientTimesActivation }) => gradientTimesActivation !== 0)
    const features = by === 'feature' ? byFeature(connected) : connected
    features.sort((a, b) => Math.abs(b.gradientTimesActivation) - Math.abs(a.gradientTimesActivation))
    const verified = features.slice(0, verify)
    const clean = metricValue(metric, logits)
    const effects = await ablationEffects(model, sae, tokens, scaled, verified, metric, clean)
    for (const [i, one] of verified.entries()) one.ablation = effects[i]
    await setImmediate()
    await addDirect(model, sae, workspace, metric, features, scaled)
    return {
      tokens: [...tokens],
      metric,
      value: clean,
      probability: softmax(logits)[metric.target],
      features,
      total: features.reduce((sum, one) => sum + one.gradientTimesActivation, 0),
      error: await errorEffect(sae, workspace, tokens.length),
      agreement: verify > 0 ? agreement(verified, tokens.length - 1) : null,
    }
  } finally {
    freeWorkspace(model, workspace)
  }
}

/** Runs the model forward and the metric of its last position backward; logits [V] of the last position. */
async function gradientPass(
  model: Transformer,
  workspace: Workspace,
  tokens: Int32Array,
  metric: Metric,
): Promise<Float32Array> {
  const { kernels, config } = model
  const [T, V] = [tokens.length, config.vocabularySize]
  forward(model, workspace, { tokens, targets: new Int32Array(T).fill(-1), starts: new Int32Array(T) })
  const last = kernels.rows(workspace.logits, T - 1, 1)
  const logits = await kernels.readF32(last)
  kernels.fill(workspace.logits, 0)
  kernels.write(kernels.reshape(last, [V]), metricGradient(metric, logits))
  backwardFromLogits(model, workspace, null)
  return logits
}

/** Gradient x activation of every active feature at every position but that of the start-of-text token. */
async function pairEffects(
  model: Transformer,
  sae: Sae,
  workspace: Workspace,
  tokens: Int32Array,
  scales: Float32Array | null,
): Promise<FeatureAttribution[]> {
  const { kernels } = model
  const [codes, gradients] = await Promise.all([
    encode(sae, workspace.activations[sae.hookName]),
    kernels.readF32(workspace.gradients[sae.targetHookName]),
  ])
  const features = [...new Set(codes.featureIds)]
  const directions = await readRows(sae, features)
  const pairs: FeatureAttribution[] = []
  for (let position = 1; position < tokens.length; position++) {
    // This computes here and not in the kernels: a server answers others in between.
    if (position % 32 === 0) await setImmediate()
    for (let e = codes.rowOffsets[position]; e < codes.rowOffsets[position + 1]; e++) {
      const feature = codes.featureIds[e]
      const direction = directions.get(feature) as Float32Array
      let slope = 0
      for (let i = 0; i < sae.dOut; i++) slope += gradients[position * sae.dOut + i] * direction[i]
      pairs.push({
        feature,
        positions: [position],
        activation: codes.values[e],
        gradientTimesActivation: codes.values[e] * slope * (scales?.[position] ?? 1),
        direct: null,
        ablation: null,
      })
    }
  }
  return pairs
}

/** With activations as multiples of decoder rows in the activation itself: those of normed tokens times the token's scale. */
const inRawUnits = (
  pairs: readonly FeatureAttribution[],
  scales: Float32Array | null,
): readonly FeatureAttribution[] =>
  scales === null
    ? pairs
    : pairs.map((pair) => ({ ...pair, activation: pair.activation * scales[pair.positions[0]] }))

/** Decoder rows by feature. */
async function readRows(
  { kernels, params, dOut }: Sae,
  features: readonly number[],
): Promise<Map<number, Float32Array>> {
  if (features.length === 0) return new Map()
  const ids = kernels.tensor(Int32Array.from(features), [features.length])
  const rows = kernels.zeros([features.length, dOut])
  kernels.gatherRows(rows, params.wDec, ids)
  const values = await kernels.readF32(rows)
  for (const tensor of [ids, rows]) kernels.free(tensor)
  return new Map(features.map((feature, i) => [feature, values.subarray(i * dOut, (i + 1) * dOut)]))
}

function byFeature(pairs: readonly FeatureAttribution[]): FeatureAttribution[] {
  const features = new Map<number, FeatureAttribution>()
  for (const pair of pairs) {
    const known = features.get(pair.feature)
    if (!known) {
      features.set(pair.feature, { ...pair, positions: [...pair.positions] })
      continue
    }
    known.positions.push(...pair.positions)
    known.activation = Math.max(known.activation, pair.activation)
    known.gradientTimesActivation += pair.gradientTimesActivation
  }
  return [...features.values()]
}

/** Fills in the direct effects: those of the last position, 0 for the others. */
async function addDirect(
  model: Transformer,
  sae: Sae,
  workspace: Workspace,
  metric: Metric,
  features: readonly FeatureAttribution[],
  pairs: readonly FeatureAttribution[],
): Promise<void> {
  const last = workspace.contextLength - 1
  const active = pairs.filter(({ positions }) => positions[0] === last)
  const slopes = await directEffects(
    model,
    sae,
    workspace,
    metric,
    active.map(({ feature }) => feature),
  )
  if (slopes === null) return
  const effects = new Map(active.map(({ feature, activation }, i) => [feature, activation * slopes[i]]))
  for (const one of features) one.direct = one.positions.includes(last) ? (effects.get(one.feature) ?? 0) : 0
}

/** sum_p g_p . (x_p - xHat_p), without the position of the start-of-text token */
async function errorEffect(sae: Sae, workspace: Workspace, T: number): Promise<number> {
  const { kernels, dOut } = sae
  const [x, y] = [workspace.activations[sae.hookName], workspace.activations[sae.targetHookName]]
  const xHat: Tensor = kernels.zeros([T, dOut])
  reconstruct(sae, xHat, null, x, y)
  const reads = [xHat, y, workspace.gradients[sae.targetHookName]]
  const [found, wanted, gradients] = await Promise.all(reads.map((tensor) => kernels.readF32(tensor)))
  kernels.free(xHat)
  let effect = 0
  for (let i = dOut; i < T * dOut; i++) effect += gradients[i] * (wanted[i] - found[i])
  return effect
}

/** Direct effects are compared where there can be any: at the last position. */
function agreement(
  verified: readonly FeatureAttribution[],
  last: number,
): { gradient: Agreement; direct: Agreement } {
  const withDirect = verified.filter(({ direct, positions }) => direct !== null && positions.includes(last))
  return {
    gradient: agreementOf(verified, ({ gradientTimesActivation }) => gradientTimesActivation),
    direct: agreementOf(withDirect, ({ direct }) => direct as number),
  }
}

function agreementOf(
  verified: readonly FeatureAttribution[],
  estimate: (one: FeatureAttribution) => number,
): Agreement {
  const truth = verified.map(({ ablation }) => ablation as number)
  const estimates = verified.map(estimate)
  return { n: truth.length, pearson: pearson(estimates, truth), spearman: spearman(estimates, truth) }
}
