import { rowLogits } from '../model/cached-forward.js'
import { type Metric, metricValue } from '../model/logit-metric.js'
import {
  BEFORE_LOGITS,
  createWorkspace,
  forward,
  freeWorkspace,
  type Transformer,
} from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'
import type { FeatureAttribution } from './attribution.js'

/** Copies of the prompt in one forward pass, and rows of all of them: making their buffers must not take long. */
const mostCopies = 16
const mostRows = 512

/**
 * What the metric loses when features are really taken out, one line of `wanted` at a time: the activation at each of its positions becomes
 * x - f_i d_i, with the autoencoder's error kept.
 * @param pairs activation of every feature at every position, as a multiple of its decoder row in the activation x
 * @param clean the metric of the model as it is
 */
export async function ablationEffects(
  model: Transformer,
  sae: Sae,
  tokens: Int32Array,
  pairs: readonly FeatureAttribution[],
  wanted: readonly FeatureAttribution[],
  metric: Metric,
  clean: number,
): Promise<number[]> {
  const features = new Set(wanted.map(({ feature }) => feature))
  const activations = new Map(
    pairs
      .filter(({ feature }) => features.has(feature))
      .map(({ feature, positions, activation }) => [`${feature} ${positions[0]}`, activation]),
  )
  const effects: number[] = []
  const copiesAtOnce = Math.max(1, Math.min(mostCopies, Math.floor(mostRows / tokens.length)))
  for (let i = 0; i < wanted.length; i += copiesAtOnce) {
    const edits = wanted.slice(i, i + copiesAtOnce).map(({ feature, positions }) =>
      positions.map((position) => ({
        position,
        feature,
        activation: activations.get(`${feature} ${position}`) ?? 0,
      })),
    )
    for (const logits of await ablatedLogits(model, sae, tokens, edits))
      effects.push(clean - metricValue(metric, logits))
  }
  return effects
}

interface Removal {
  position: number
  feature: number
  activation: number
}

/** Logits [V] after the prompt, once for each list of removals. */
async function ablatedLogits(
  model: Transformer,
  sae: Sae,
  tokens: Int32Array,
  edits: readonly (readonly Removal[])[],
): Promise<Float32Array[]> {
  const { kernels, config } = model
  const [B, T, V] = [edits.length, tokens.length, config.vocabularySize]
  // One sparse product: change [B*T, Dout] = weights [B*T, n] directions [n, Dout], a column for each copy's feature.
  const ids = kernels.tensor(
    Int32Array.from(edits, ([first]) => first.feature),
    [B],
  )
  const directions = kernels.zeros([B, sae.dOut])
  kernels.gatherRows(directions, sae.params.wDec, ids)
  const weights = new Float32Array(B * T * B)
  for (const [copy, removals] of edits.entries())
    for (const { position, activation } of removals) weights[(copy * T + position) * B + copy] = -activation
  const removed = kernels.tensor(weights, [B * T, B])
  const change = kernels.zeros([B * T, sae.dOut])
  kernels.linearForward(change, removed, directions, null)

  const workspace = createWorkspace(model, B, T, { keep: [BEFORE_LOGITS] })
  const repeated = Int32Array.from({ length: B * T }, (_, n) => tokens[n % T])
  forward(
    model,
    workspace,
    { tokens: repeated, targets: new Int32Array(B * T).fill(-1), starts: new Int32Array(B * T) },
    {
      hooks: { [sae.targetHookName]: (activation) => kernels.addInPlace(activation, change) },
      stopAfter: BEFORE_LOGITS,
    },
  )
  const lastRows = Int32Array.from({ length: B }, (_, copy) => copy * T + T - 1)
  const logits = rowLogits(model, workspace, lastRows)
  const values = await kernels.readF32(logits)
  for (const tensor of [ids, directions, removed, change, logits]) kernels.free(tensor)
  freeWorkspace(model, workspace)
  return edits.map((_, copy) => values.subarray(copy * V, (copy + 1) * V))
}
