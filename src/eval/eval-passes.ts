import { fillWindows, type WindowBatch, windowDocuments } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Codes, Tensor } from '../kernels/kernels.js'
import { SAE_COMPARISON, saeComparison } from '../kernels/sae-kernels.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  type Hook,
  hooksToStartAt,
  type Transformer,
  type Workspace,
} from '../model/transformer.js'
import { decode, encode } from '../sae/sae.js'
import type { EvaluatedBatch } from './eval-sums.js'
import type { EvaluateInputs } from './evaluate.js'
import { textRows } from './sample-windows.js'

/** Buffers for one batch size. */
interface BatchRunner {
  workspace: Workspace
  /** [Dout] */
  mean: Tensor
  /** [N, D] room for the activations of text positions that are read */
  x: Tensor
  /** [N, Dout] the same for those that are reconstructed, and for what replaces them */
  y: Tensor
  replacement: Tensor
  /** [N, V] logits of the untouched model */
  cleanLogits: Tensor
  /** [N, 5] and [Dout] what `saeCompare` finds */
  comparison: Tensor
  shift: Tensor
  /** [N] each */
  clean: Tensor
  spliced: Tensor
  zeroAblated: Tensor
  meanAblated: Tensor
  kl: Tensor
}

export function createRunner(inputs: EvaluateInputs, mean: Float32Array, batch: number): BatchRunner {
  const { sae } = inputs
  const { kernels, config } = inputs.model
  const n = batch * config.context
  return {
    workspace: createWorkspace(inputs.model, batch, config.context, {
      keep: [sae.hookName, sae.targetHookName, ...hooksToStartAt(config, sae.targetHookName)],
    }),
    mean: kernels.tensor(mean, [mean.length]),
    x: kernels.zeros([n, sae.d]),
    y: kernels.zeros([n, mean.length]),
    replacement: kernels.zeros([n, mean.length]),
    cleanLogits: kernels.zeros([n, config.vocabularySize]),
    comparison: kernels.zeros([n, SAE_COMPARISON]),
    shift: kernels.zeros([mean.length]),
    clean: kernels.zeros([n]),
    spliced: kernels.zeros([n]),
    zeroAblated: kernels.zeros([n]),
    meanAblated: kernels.zeros([n]),
    kl: kernels.zeros([n]),
  }
}

export function freeRunner(model: Transformer, { workspace, ...tensors }: BatchRunner): void {
  freeWorkspace(model, workspace)
  for (const tensor of Object.values(tensors)) model.kernels.free(tensor)
}

/** A batch under way: what does not depend on its codes is enqueued. */
export interface StartedBatch {
  windows: Int32Array
  batch: WindowBatch
  /** [n] text positions */
  rows: Int32Array
  ids: Tensor
  targets: Tensor
  codes: Promise<Codes>
}

/**
 * Enqueues three of four forward passes: clean, zero-ablated and mean-ablated. The two ablated ones keep the kernels busy until JavaScript has the
 * codes that the spliced one takes. Passes after the clean one start at the hook point: nothing before it changes.
 * @returns null for windows without text
 */
export function startBatch(
  inputs: EvaluateInputs,
  runner: BatchRunner,
  windows: Int32Array,
): StartedBatch | null {
  const { model, sae } = inputs
  const { kernels } = model
  const { workspace } = runner
  const batch = fillWindows(inputs.split, model.config.context, windows)
  const rows = textRows(batch.tokens, inputs.startOfText)
  if (rows.length === 0) return null
  const targets = kernels.tensor(batch.targets, [batch.targets.length])
  const ids = kernels.tensor(rows, [rows.length])
  forward(model, workspace, batch)
  kernels.crossEntropyForward(runner.clean, workspace.logits, targets)
  const x = kernels.rows(runner.x, 0, rows.length)
  kernels.gatherRows(x, workspace.activations[sae.hookName], ids)
  kernels.gatherRows(kernels.rows(runner.y, 0, rows.length), workspace.activations[sae.targetHookName], ids)
  kernels.copy(runner.cleanLogits, workspace.logits)
  const started = { windows, batch, rows, ids, targets, codes: encode(sae, x) }
  // When it fails before it is awaited, awaiting it reports it.
  started.codes.catch(() => {})
  const replacement = kernels.rows(runner.replacement, 0, rows.length)
  kernels.fill(replacement, 0)
  runReplaced(inputs, runner, started, runner.zeroAblated)
  kernels.broadcastRow(replacement, runner.mean)
  runReplaced(inputs, runner, started, runner.meanAblated)
  return started
}

/** A pass with `replacement` in place of the activation at text positions. */
function runReplaced(
  { model, sae }: EvaluateInputs,
  { workspace, replacement }: BatchRunner,
  { batch, rows, ids, targets }: StartedBatch,
  losses: Tensor,
): void {
  const { kernels } = model
  const splice: Hook = (activation) =>
    kernels.scatterRows(activation, kernels.rows(replacement, 0, rows.length), ids)
  forward(model, workspace, batch, {
    hooks: { [sae.targetHookName]: splice },
    startAt: sae.targetHookName,
  })
  kernels.crossEntropyForward(losses, workspace.logits, targets)
}

/** Enqueues the spliced pass and the reads. Everything is enqueued when it returns; the promise is of the results. */
export function finishBatch(
  inputs: EvaluateInputs,
  runner: BatchRunner,
  started: StartedBatch,
  codes: Codes,
): Promise<EvaluatedBatch> {
  const { model, sae, split } = inputs
  const { kernels } = model
  const { rows, batch } = started
  const first = (tensor: Tensor): Tensor => kernels.rows(tensor, 0, rows.length)
  const replacement = first(runner.replacement)
  decode(sae, replacement, codes, first(runner.x))
  kernels.saeCompare(first(runner.comparison), runner.shift, first(runner.y), replacement, runner.mean)
  runReplaced(inputs, runner, started, runner.spliced)
  kernels.klDivergence(runner.kl, runner.cleanLogits, runner.workspace.logits)
  for (const tensor of [started.ids, started.targets]) kernels.free(tensor)
  const reads = [first(runner.comparison), runner.shift, runner.clean, runner.spliced]
  const more = [runner.zeroAblated, runner.meanAblated, runner.kl]
  return Promise.all([...reads, ...more].map((tensor) => kernels.readF32(tensor))).then(
    ([comparison, shift, clean, spliced, zeroAblated, meanAblated, kl]) => {
      const evaluated = {
        documents: windowDocuments(split, model.config.context, started.windows),
        rows,
        targets: batch.targets,
        comparison,
        shift,
        codes,
        losses: { clean, spliced, zeroAblated, meanAblated, kl },
      }
      requireFinite(inputs, evaluated)
      return evaluated
    },
  )
}

/** @throws MonosemError diverged, naming the hook point, the document and what is not finite */
function requireFinite(
  { sae, split }: EvaluateInputs,
  { comparison, documents, rows }: EvaluatedBatch,
): void {
  const bad = comparison.findIndex((value) => !Number.isFinite(value))
  if (bad < 0) return
  const i = Math.floor(bad / SAE_COMPARISON)
  const activation = Number.isFinite(comparison[i * SAE_COMPARISON + saeComparison.target])
  const what = activation
    ? `reconstructions of ${sae.targetHookName}`
    : `activations at ${sae.targetHookName}`
  throw new MonosemError(
    'diverged',
    `expected finite ${what}, got NaN or infinity in document ${split.documentIds[documents[rows[i]]]}`,
    {
      hint: activation
        ? 'check the weights of the autoencoder: monosem sae info'
        : 'check the weights of the model: monosem model info',
    },
  )
}
