import type { WindowBatch } from '../corpus/windows.js'
import type { EvaluateInputs } from '../eval/evaluate.js'
import { type PerBatchSize, perBatchSize } from '../eval/per-batch-size.js'
import { textRows } from '../eval/sample-windows.js'
import type { Tensor } from '../kernels/kernels.js'
import {
  attentionFollows,
  BEFORE_LOGITS,
  createWorkspace,
  forward,
  freeWorkspace,
  hookBuffer,
  hooksToStartAt,
  unembed,
  type Workspace,
} from '../model/transformer.js'
import { scaleByToken, tokenScales } from '../sae/input-normalization.js'
import { encode, encodeRows, type Sae } from '../sae/sae.js'
import type { AblationPass, Layout } from './ablation-packing.js'
import { activationOf } from './example-slots.js'

/** Everything that forward passes with and without features need, made once. */
export interface AblationRunner {
  inputs: Omit<EvaluateInputs, 'split'>
  layout: Layout
  /** of the untouched passes, by number of windows */
  untouched: PerBatchSize<Workspace>
  ablated: Workspace
  /** [Dout] zeros */
  noBias: Tensor
  /** [rows, Dout] what is added at the hook point */
  change: Tensor
  /** [rows, ...] for the predictions that are wanted */
  normalized: Tensor
  logits: Tensor
  losses: Tensor
}

/** @param batchTokens rows of a pass with features taken out, about */
export function createAblationRunner(inputs: AblationRunner['inputs'], batchTokens: number): AblationRunner {
  const { model, sae } = inputs
  const { kernels, config } = model
  const sequence = attentionFollows(config, sae.targetHookName) ? config.context : 1
  const sequences = Math.max(1, Math.floor(batchTokens / sequence))
  const rows = sequences * sequence
  const keep = [...hooksToStartAt(config, sae.targetHookName), BEFORE_LOGITS]
  return {
    inputs,
    layout: { sequence, sequences },
    untouched: perBatchSize(
      (windows) => createWorkspace(model, windows, config.context, { keep: [sae.hookName, ...keep] }),
      (workspace) => freeWorkspace(model, workspace),
    ),
    ablated: createWorkspace(model, sequences, sequence, { keep }),
    noBias: kernels.zeros([sae.dOut]),
    change: kernels.zeros([rows, sae.dOut]),
    normalized: kernels.zeros([rows, config.dModel]),
    logits: kernels.zeros([rows, config.vocabularySize]),
    losses: kernels.zeros([rows]),
  }
}

export function freeAblationRunner(runner: AblationRunner): void {
  const { model } = runner.inputs
  runner.untouched.free()
  freeWorkspace(model, runner.ablated)
  for (const name of ['noBias', 'change', 'normalized', 'logits', 'losses'] as const)
    model.kernels.free(runner[name])
}

/** The untouched model on a batch of windows. */
export interface UntouchedPass {
  batch: WindowBatch
  workspace: Workspace
  /** activation of one of the features asked for in a row of the batch; 0 on <|endoftext|> */
  activationAt: (row: number, feature: number) => number
}

/**
 * Runs the model as it is and encodes what is at the hook point.
 * @param windows how many the batch holds
 * @param features those whose activations will be asked for
 */
export async function runUntouched(
  runner: AblationRunner,
  batch: WindowBatch,
  windows: number,
  features: ReadonlySet<number>,
): Promise<UntouchedPass> {
  const { model, sae, startOfText } = runner.inputs
  const { kernels } = model
  const workspace = runner.untouched.get(windows)
  forward(model, workspace, batch, { stopAfter: BEFORE_LOGITS })
  const text = textRows(batch.tokens, startOfText)
  const textRow = new Int32Array(batch.tokens.length).fill(-1)
  text.forEach((row, i) => {
    textRow[row] = i
  })
  const ids = kernels.tensor(text, [text.length])
  const x = kernels.zeros([text.length, sae.d])
  kernels.gatherRows(x, workspace.activations[sae.hookName], ids)
  const inText = await activationsOf(sae, x, features)
  for (const tensor of [ids, x]) kernels.free(tensor)
  const activationAt = (row: number, feature: number) =>
    textRow[row] < 0 ? 0 : inText(textRow[row], feature)
  return { batch, workspace, activationAt }
}

/** Activations of some features on x [n, D]. Only among the k largest does it take all the others to know one. */
async function activationsOf(
  sae: Sae,
  x: Tensor,
  features: ReadonlySet<number>,
): Promise<(row: number, feature: number) => number> {
  if ('k' in sae.form.activation) {
    const codes = await encode(sae, x)
    return (row, feature) => activationOf(codes, row, feature)
  }
  const columns = new Map(Array.from(features, (feature, column) => [feature, column]))
  const out = encodeRows(sae, x, Int32Array.from(features))
  const values = await sae.kernels.readF32(out)
  sae.kernels.free(out)
  return (row, feature) => values[row * columns.size + (columns.get(feature) as number)]
}

/** Runs one pass with features taken out. @returns loss in nats of each prediction that counts */
export function runAblated(
  runner: AblationRunner,
  { batch, workspace }: UntouchedPass,
  { source, codes, predicted }: AblationPass,
): Promise<Float32Array> {
  const { model, sae } = runner.inputs
  const { kernels } = model
  const ids = kernels.tensor(source, [source.length])
  for (const name of hooksToStartAt(model.config, sae.targetHookName))
    kernels.gatherRows(hookBuffer(model, runner.ablated, name), workspace.activations[name], ids)
  const { wEnc, bEnc, wDec } = sae.params
  kernels.saeDecode(runner.change, { wEnc, bEnc, wDec, bDec: runner.noBias }, codes, null)
  const activation = hookBuffer(model, runner.ablated, sae.targetHookName)
  const scales = tokenScales(sae, activation)
  scaleByToken(kernels, runner.change, scales)
  scales?.free()
  kernels.addInPlace(activation, runner.change)
  forward(model, runner.ablated, batchOf(batch, source, runner.layout), {
    startAt: sae.targetHookName,
    stopAfter: BEFORE_LOGITS,
  })
  kernels.free(ids)
  const targets = predicted.source.map((row) => batch.targets[row])
  return lossesOf(runner, runner.ablated, predicted.rows, targets)
}

/** The batch's rows in the order of a pass. Rows on their own are each the first of their sequence. */
function batchOf(batch: WindowBatch, source: Int32Array, { sequence }: Layout): WindowBatch {
  return {
    tokens: source.map((row) => batch.tokens[row]),
    targets: new Int32Array(source.length).fill(-1),
    starts: sequence === 1 ? new Int32Array(source.length) : source.map((row) => batch.starts[row]),
  }
}

/** Losses of the untouched model. @param rows distinct rows of the batch that have a target */
export async function untouchedLosses(
  runner: AblationRunner,
  { batch, workspace }: UntouchedPass,
  rows: Int32Array,
): Promise<Float32Array> {
  const size = runner.losses.shape[0]
  const parts: Promise<Float32Array>[] = []
  for (let i = 0; i < rows.length; i += size) {
    const part = rows.subarray(i, i + size)
    const targets = part.map((row) => batch.targets[row])
    parts.push(lossesOf(runner, workspace, part, targets))
  }
  const losses = new Float32Array(rows.length)
  for (const [i, part] of (await Promise.all(parts)).entries()) losses.set(part, i * size)
  return losses
}

/** Next-token losses of some rows of a workspace. Only they are unembedded: that is the larger part of a small model. */
async function lossesOf(
  runner: AblationRunner,
  workspace: Workspace,
  rows: Int32Array,
  targets: Int32Array,
): Promise<Float32Array> {
  const { model } = runner.inputs
  const { kernels } = model
  const n = rows.length
  const ids = kernels.tensor(rows, [n])
  const wanted = kernels.tensor(targets, [n])
  const [normalized, logits] = [runner.normalized, runner.logits].map((room) => kernels.rows(room, 0, n))
  const losses = kernels.rows(runner.losses, 0, n)
  kernels.gatherRows(normalized, workspace.activations[BEFORE_LOGITS], ids)
  unembed(model, logits, normalized)
  kernels.crossEntropyForward(losses, logits, wanted)
  const values = await kernels.readF32(losses)
  for (const tensor of [ids, wanted]) kernels.free(tensor)
  return values
}
