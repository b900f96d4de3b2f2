import { rowLogits } from '../model/cached-forward.js'
import type { Transformer, Workspace } from '../model/transformer.js'
import { encode, type Sae } from '../sae/sae.js'
import type { Steering } from './steering.js'
import { layOutTexts, readTexts, type TextWindows, type WrittenText } from './text-pass.js'

/** What texts that were written while steering are like. Means over all written tokens; null where there are none. */
export interface TextJudgement {
  /** written tokens */
  tokens: number
  /** coherence: loss of the written tokens under the unsteered model, nats a token; lower is more like its own text */
  loss: number | null
  /** how far steering bends the distribution along the text: KL(steered || unsteered), nats a token */
  klDivergence: number | null
  /** share of the written tokens on which a steered feature fires when the unsteered model reads them */
  activity: number | null
}

/** Texts judged in one pass; bounds the memory for logits. */
const textsAtOnce = 16

/**
 * Judges texts token by token. With temperature below 1 or topP, the texts are not drawn from the steered distribution itself, but the
 * figures are still those of its positions.
 */
export async function judgeTexts(
  model: Transformer,
  sae: Sae,
  texts: readonly WrittenText[],
  steering: Steering,
): Promise<TextJudgement> {
  const sums = { tokens: 0, loss: 0, klDivergence: 0, active: 0, read: 0 }
  for (let i = 0; i < texts.length; i += textsAtOnce) {
    const layout = layOutTexts(texts.slice(i, i + textsAtOnce), model.config.context)
    if (layout.predicting.length === 0) continue
    const { losses, divergences, active } = await comparePasses(model, sae, layout, steering)
    sums.tokens += losses.length
    for (const loss of losses) sums.loss += loss
    for (const divergence of divergences) sums.klDivergence += divergence
    sums.active += active
    sums.read += layout.written.length
  }
  const share = (sum: number, of: number): number | null => (of > 0 ? sum / of : null)
  return {
    tokens: sums.tokens,
    loss: share(sums.loss, sums.tokens),
    klDivergence: share(sums.klDivergence, sums.tokens),
    activity: share(sums.active, sums.read),
  }
}

/**
 * Of each written token: its loss without steering, and KL(steered || unsteered) where it is predicted; and how many of them a steered
 * feature fires on without steering.
 */
async function comparePasses(
  model: Transformer,
  sae: Sae,
  layout: TextWindows,
  steering: Steering,
): Promise<{ losses: Float32Array; divergences: Float32Array; active: number }> {
  const { kernels } = model
  const n = layout.predicting.length
  // The logits outlive the pass that computed them.
  const logitsOf = (pass: Workspace) => rowLogits(model, pass, layout.predicting)
  const unsteered = async (pass: Workspace) => {
    const logits = logitsOf(pass)
    return [logits, await countActive(sae, pass, layout, steering)] as const
  }
  const [plain, active] = await readTexts(model, layout, null, unsteered, [sae.hookName])
  const steered = await readTexts(model, layout, steering.hooks, async (pass) => logitsOf(pass))
  const targets = kernels.tensor(layout.targets, [n])
  const [losses, divergences] = [kernels.zeros([n]), kernels.zeros([n])]
  kernels.crossEntropyForward(losses, plain, targets)
  kernels.klDivergence(divergences, steered, plain)
  const [loss, divergence] = await Promise.all([kernels.readF32(losses), kernels.readF32(divergences)])
  for (const tensor of [plain, steered, targets, losses, divergences]) kernels.free(tensor)
  return { losses: loss, divergences: divergence, active }
}

/** Written tokens on which at least one steered feature fires in an unsteered pass. */
async function countActive(
  sae: Sae,
  pass: Workspace,
  layout: TextWindows,
  steering: Steering,
): Promise<number> {
  const { kernels } = sae
  const steered = new Set(steering.edits.map(({ feature }) => feature))
  const ids = kernels.tensor(layout.written, [layout.written.length])
  const x = kernels.zeros([layout.written.length, sae.d])
  kernels.gatherRows(x, pass.activations[sae.hookName], ids)
  const codes = await encode(sae, x)
  for (const tensor of [ids, x]) kernels.free(tensor)
  let active = 0
  for (let row = 0; row < layout.written.length; row++) {
    const own = codes.featureIds.subarray(codes.rowOffsets[row], codes.rowOffsets[row + 1])
    if (own.some((feature) => steered.has(feature))) active++
  }
  return active
}
