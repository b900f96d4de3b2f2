import { requireSaeFits } from '../activations/sae-on-model.js'
import type { TokenSplit } from '../corpus/corpus.js'
import { singleRank } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import { type DecoderGeometry, decoderGeometry, decoderReport } from './decoder-geometry.js'
import type { EvalConfig } from './eval-config.js'
import { createRunner, finishBatch, freeRunner, type StartedBatch, startBatch } from './eval-passes.js'
import type { EvalReport } from './eval-report.js'
import { addBatch, createEvalSums, type EvalSums, type EvaluatedBatch } from './eval-sums.js'
import { meanActivation } from './mean-activation.js'
import { perBatchSize } from './per-batch-size.js'
import { reportOf } from './report-of.js'
import { batchesOf, sampleWindows, spread } from './sample-windows.js'

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
 *
 * The ranks of `context` share the batches; all of them get the same figures, those of one rank to the bit.
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

/** The pass over the text: all sums, the same on all ranks. */
export async function evaluateWindows(
  config: EvalConfig,
  inputs: EvaluateInputs,
  windows: Int32Array,
  context: StageContext,
): Promise<EvalSums> {
  const { model, sae } = inputs
  const { ranks = singleRank } = context
  const t = model.config.context
  const forMean = spread(windows.length, Math.max(1, Math.round(config.meanTokens / t)))
  const mean = await meanActivation({
    ...inputs,
    hookName: sae.targetHookName,
    windows: Int32Array.from(forMean, (i) => windows[i]),
    batchWindows: config.batchWindows,
    ranks,
  })
  const sums = createEvalSums(sae.features, sae.dOut)
  const task = context.progress.start('evaluate', windows.length * t, 'tokens')
  const runners = perBatchSize(
    (size) => createRunner(inputs, mean, size),
    (runner) => freeRunner(model, runner),
  )
  const batches = batchesOf(windows, config.batchWindows)
  const start = (i: number): StartedBatch | null =>
    i < batches.length ? startBatch(inputs, runners.get(batches[i].length), batches[i]) : null
  // This rank's next batch is enqueued before the results of one are read: the kernels work on it while those are added up.
  let ahead: StartedBatch | null = null
  const finish = async (i: number): Promise<EvaluatedBatch | null> => {
    throwIfInterrupted(context.signal)
    const runner = runners.get(batches[i].length)
    const results = ahead && finishBatch(inputs, runner, ahead, await ahead.codes)
    // When it fails while the next one starts, whoever awaits it sees the error.
    results?.catch(() => {})
    ahead = start(i + ranks.size)
    return results
  }
  let [done, doneWindows] = [0, 0]
  try {
    ahead = start(ranks.rank)
    for await (const batch of inOrder(ranks, batches.length, finish, 'every')) {
      if (batch) addBatch(sums, batch)
      doneWindows += batches[done++].length
      task.update(doneWindows * t)
    }
  } finally {
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
