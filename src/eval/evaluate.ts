import { requireSaeFits } from '../activations/sae-on-model.js'
import type { TokenSplit } from '../corpus/corpus.js'
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
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { decode, encode, type Sae } from '../sae/sae.js'
import { type DecoderGeometry, decoderGeometry, decoderReport } from './decoder-geometry.js'
import type { EvalConfig } from './eval-config.js'
import type { EvalReport } from './eval-report.js'
import { addBatch, createEvalSums, type EvalSums, type EvaluatedBatch } from './eval-sums.js'
import { meanActivation } from './mean-activation.js'
import { perBatchSize } from './per-batch-size.js'
import { reportOf } from './report-of.js'
import { batchesOf, sampleWindows, spread, textRows } from './sample-windows.js'

/** What is evaluated, on what text. */
export interface EvaluateInputs {
  model: Transformer
  sae: Sae
  split: TokenSplit
  /** the token that opens every document (also called BOS) */
  startOfText: number
}

/** What an evaluation found: the figures, and what they were drawn from feature by feature. */
export interface Evaluation {
  report: EvalReport
  features: FeatureFigures
  /** [documents] what was summed for each, in the order in which they were first read: the same for every evaluation of the same windows */
  documents: EvalSums['perDocument']['columns']
}

/** Figures of each of F features. */
export interface FeatureFigures extends DecoderGeometry {
  /** [F] tokens of the sample on which it fired */
  fires: Float64Array
}

/**
 * Measures an autoencoder on text: how sparse it is, how well it reconstructs, and how much of the model's
 * next-token loss survives when its reconstruction takes the place of the activation. docs/metrics.md defines every number.
 *
 * Positions whose token is <|endoftext|> are no text: they are in no number, losses included, and no version of the activation
 * (spliced, zero, mean) replaces them.
 * @throws MonosemError missing (no text, or the model has no such hook point), shape (another width), diverged (NaN or infinite activations),
 * interrupted
 */
export async function evaluate(
  config: EvalConfig,
  inputs: EvaluateInputs,
  context: StageContext = { progress: silentProgress },
): Promise<EvalReport> {
  return (await evaluateFeatures(config, inputs, context)).report
}

/** `evaluate`, with the figures of every feature. */
export async function evaluateFeatures(
  config: EvalConfig,
  inputs: EvaluateInputs,
  context: StageContext,
): Promise<Evaluation> {
  const { model, sae, split } = inputs
  requireSaeFits(model, sae)
  const windows = sampleWindows(split, model.config.context, config.tokens)
  const sums = await evaluateWindows(config, inputs, windows, context)
  const geometry = await decoderGeometry(sae, context)
  return {
    report: reportOf(sums, sae, windows.length, decoderReport(geometry)),
    features: { fires: sums.fires, ...geometry },
    documents: sums.perDocument.columns,
  }
}

/** The pass over the text: all sums. */
export async function evaluateWindows(
  config: EvalConfig,
  inputs: EvaluateInputs,
  windows: Int32Array,
  context: StageContext,
): Promise<EvalSums> {
  const { model, sae } = inputs
  const t = model.config.context
  const forMean = spread(windows.length, Math.max(1, Math.round(config.meanTokens / t)))
  const mean = await meanActivation({
    ...inputs,
    hookName: sae.targetHookName,
    windows: Int32Array.from(forMean, (i) => windows[i]),
    batchWindows: config.batchWindows,
  })
  const sums = createEvalSums(sae.features, sae.dOut)
  const task = context.progress.start('evaluate', windows.length * t, 'tokens')
  const runners = perBatchSize(
    (size) => createRunner(inputs, mean, size),
    (runner) => freeRunner(model, runner),
  )
  let done = 0
  // The results of a batch are read and added up while the kernels work on the next one.
  let pending: Promise<EvaluatedBatch> | null = null
  const add = async (): Promise<void> => {
    if (pending === null) return
    addBatch(sums, await pending)
    pending = null
  }
  try {
    for (const batch of batchesOf(windows, config.batchWindows)) {
      throwIfInterrupted(context.signal)
      const started = startBatch(inputs, runners.get(batch.length), batch)
      await add()
      if (started) pending = finishBatch(inputs, runners.get(batch.length), started, await started.codes)
      // When it fails while the next one starts, the next await reports it.
      pending?.catch(() => {})
      done += batch.length
      task.update(done * t)
    }
    await add()
  } finally {
    await pending?.catch(() => {})
    runners.free()
  }
  if (sums.variance.count === 0) throw noText(inputs)
  task.end()
  return sums
}

function noText({ split }: EvaluateInputs): MonosemError {
  return new MonosemError(
    'missing',
    `the sample of the ${split.name} split holds no text: expected tokens besides the start of documents`,
    { hint: 'build the corpus from longer texts, or raise --tokens' },
  )
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

function createRunner(inputs: EvaluateInputs, mean: Float32Array, batch: number): BatchRunner {
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

function freeRunner(model: Transformer, { workspace, ...tensors }: BatchRunner): void {
  freeWorkspace(model, workspace)
  for (const tensor of Object.values(tensors)) model.kernels.free(tensor)
}

/** A batch under way: what does not depend on its codes is enqueued. */
interface StartedBatch {
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
function startBatch(inputs: EvaluateInputs, runner: BatchRunner, windows: Int32Array): StartedBatch | null {
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
function finishBatch(
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
