import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows } from '../corpus/windows.js'
import type { Tensor } from '../kernels/kernels.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  type Hook,
  type Transformer,
  type Workspace,
} from '../model/transformer.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { decode, encode, type Sae } from '../sae/sae.js'
import type { EvalConfig } from './eval-config.js'
import { addBatch, createEvalSums, type EvalReport, type EvalSums, reportOf } from './eval-report.js'
import { meanActivation } from './mean-activation.js'
import { perBatchSize } from './per-batch-size.js'
import { requireSaeFits } from './sae-on-model.js'
import { batchesOf, sampleWindows, spread, textRows } from './sample-windows.js'

/** What is evaluated, on what text. */
export interface EvaluateInputs {
  model: Transformer
  sae: Sae
  split: TokenSplit
  /** the token that opens every document (also called BOS) */
  startOfText: number
}

/**
 * Measures an autoencoder on text: how sparse it is, how well it reconstructs, and how much of the model's
 * next-token loss survives when its reconstruction takes the place of the activation.
 *
 * Positions whose token is <|endoftext|> are no text: they are left out of every number about the
 * autoencoder, and no version of the activation (spliced, zero, mean) replaces them. Losses count every
 * position that has a target in the same document.
 */
export async function evaluate(
  config: EvalConfig,
  inputs: EvaluateInputs,
  context: StageContext = { progress: silentProgress },
): Promise<EvalReport> {
  const { model, sae, split } = inputs
  requireSaeFits(model, sae)
  const t = model.config.context
  const windows = sampleWindows(split, t, config.tokens)
  const forMean = spread(windows.length, Math.max(1, Math.round(config.meanTokens / t)))
  const mean = await meanActivation({
    ...inputs,
    hookName: sae.targetHookName,
    windows: Int32Array.from(forMean, (i) => windows[i]),
    batchWindows: config.batchWindows,
  })
  const sums = createEvalSums(sae, mean, windows.length)
  const task = context.progress.start('evaluate', windows.length * t, 'tokens')
  const runners = perBatchSize(
    (size) => createRunner(inputs, mean, size),
    (runner) => freeRunner(model, runner),
  )
  let done = 0
  for (const batch of batchesOf(windows, config.batchWindows)) {
    throwIfInterrupted(context.signal)
    await evaluateBatch(inputs, runners.get(batch.length), batch, sums)
    done += batch.length
    task.update(done * t)
  }
  runners.free()
  const report = reportOf(sums, sae.hookName)
  task.end(`explained variance ${report.explainedVariance?.toFixed(3)}, L0 ${report.l0.toFixed(1)}`)
  return report
}

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
  /** [N] each */
  clean: Tensor
  spliced: Tensor
  zeroAblated: Tensor
  meanAblated: Tensor
  kl: Tensor
}

function createRunner(inputs: EvaluateInputs, mean: Float32Array, batch: number): BatchRunner {
  const { kernels, config } = inputs.model
  const n = batch * config.context
  return {
    workspace: createWorkspace(inputs.model, batch, config.context, {
      keep: [inputs.sae.hookName, inputs.sae.targetHookName],
    }),
    mean: kernels.tensor(mean, [mean.length]),
    x: kernels.zeros([n, inputs.sae.d]),
    y: kernels.zeros([n, mean.length]),
    replacement: kernels.zeros([n, mean.length]),
    cleanLogits: kernels.zeros([n, config.vocabularySize]),
    clean: kernels.zeros([n]),
    spliced: kernels.zeros([n]),
    zeroAblated: kernels.zeros([n]),
    meanAblated: kernels.zeros([n]),
    kl: kernels.zeros([n]),
  }
}

function freeRunner(model: Transformer, { workspace, ...tensors }: BatchRunner): void {
  freeWorkspace(model, workspace)
  for (const tensor of Object.values(tensors)) model.kernels.free(tensor)
}

/** Four forward passes over one batch: clean, spliced, zero-ablated, mean-ablated. */
async function evaluateBatch(
  inputs: EvaluateInputs,
  runner: BatchRunner,
  windows: Int32Array,
  sums: EvalSums,
): Promise<void> {
  const { model, sae } = inputs
  const { kernels } = model
  const batch = fillWindows(inputs.split, model.config.context, windows)
  const rows = textRows(batch.tokens, inputs.startOfText)
  if (rows.length === 0) return
  const targets = kernels.tensor(batch.targets, [batch.targets.length])
  const ids = kernels.tensor(rows, [rows.length])
  const x = kernels.rows(runner.x, 0, rows.length)
  const y = kernels.rows(runner.y, 0, rows.length)
  const replacement = kernels.rows(runner.replacement, 0, rows.length)
  const { workspace } = runner
  const run = (losses: Tensor, hook?: Hook): void => {
    forward(model, workspace, batch, hook ? { hooks: { [sae.targetHookName]: hook } } : {})
    kernels.crossEntropyForward(losses, workspace.logits, targets)
  }
  const splice: Hook = (activation) => kernels.scatterRows(activation, replacement, ids)

  run(runner.clean)
  kernels.gatherRows(x, workspace.activations[sae.hookName], ids)
  kernels.gatherRows(y, workspace.activations[sae.targetHookName], ids)
  kernels.copy(runner.cleanLogits, workspace.logits)
  const codes = await encode(sae, x)
  decode(sae, replacement, codes, x)
  run(runner.spliced, splice)
  kernels.klDivergence(runner.kl, runner.cleanLogits, workspace.logits)
  const xHatRead = kernels.readF32(replacement)
  kernels.fill(replacement, 0)
  run(runner.zeroAblated, splice)
  kernels.broadcastRow(replacement, runner.mean)
  run(runner.meanAblated, splice)

  const reads = [y, runner.clean, runner.spliced, runner.zeroAblated, runner.meanAblated, runner.kl]
  const [xHat, activations, clean, spliced, zeroAblated, meanAblated, kl] = await Promise.all([
    xHatRead,
    ...reads.map((tensor) => kernels.readF32(tensor)),
  ])
  addBatch(sums, {
    windows: windows.length,
    rows,
    targets: batch.targets,
    x: activations,
    xHat,
    codes,
    losses: { clean, spliced, zeroAblated, meanAblated, kl },
  })
  for (const tensor of [targets, ids]) kernels.free(tensor)
}
