import type { TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { fillWindows, type WindowBatch, windowCount } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import type { NgramModel } from './ngram.js'
import { createWorkspace, forward, freeWorkspace, loss, type Transformer } from './transformer.js'

/** Losses over the same targets: every next token inside a document, of every measured window. */
export interface ModelEvaluation {
  /** mean cross-entropy of the model, nats per token */
  valLoss: number
  /** mean cross-entropy of the smoothed bigram, nats per token */
  bigramLoss: number
  /** mean cross-entropy of the unigram, nats per token */
  unigramLoss: number
  /** the model's total in bits, divided by the UTF-8 bytes of the tokens it predicted */
  bitsPerByte: number
  /** predicted tokens */
  valTokens: number
}

export interface EvaluateOptions {
  /** tokens to measure on, in whole windows spread evenly over the split; 0 for all */
  evalTokens: number
  /** windows per forward pass */
  batchSize: number
}

/**
 * Measures a model on a split, beside n-gram baselines on exactly the same targets.
 * @throws MonosemError config (the split is shorter than one window, or has nothing to predict), interrupted
 */
export async function evaluateModel(
  model: Transformer,
  ngram: NgramModel,
  split: TokenSplit,
  tokenizer: Tokenizer,
  options: EvaluateOptions,
  context: StageContext = { progress: silentProgress },
): Promise<ModelEvaluation> {
  const T = model.config.context
  const windows = spreadWindows(windowCount(split, T), T, options.evalTokens)
  const batchSize = Math.min(options.batchSize, windows.length)
  const workspace = createWorkspace(model, batchSize, T, { keep: [] })
  const task = context.progress.start('validation', windows.length * T, 'tokens')
  const byteLengths = tokenByteLengths(tokenizer)
  const totals = { model: 0, bigram: 0, unigram: 0, tokens: 0, bytes: 0 }
  try {
    for (let first = 0; first < windows.length; first += batchSize) {
      throwIfInterrupted(context.signal)
      const batch = paddedBatch(split, T, windows.subarray(first, first + batchSize), batchSize)
      forward(model, workspace, batch)
      const losses = await model.kernels.readF32(loss(model, workspace))
      addBatch(totals, losses, batch, ngram, byteLengths)
      task.update(Math.min(first + batchSize, windows.length) * T, { loss: totals.model / totals.tokens })
    }
  } finally {
    freeWorkspace(model, workspace)
  }
  if (totals.tokens === 0)
    throw new MonosemError('config', `model/evaluate: nothing to predict in the ${split.name} split`)
  const valLoss = totals.model / totals.tokens
  task.end(`${valLoss.toFixed(3)} nats per token`)
  return {
    valLoss,
    bigramLoss: totals.bigram / totals.tokens,
    unigramLoss: totals.unigram / totals.tokens,
    bitsPerByte: totals.model / Math.LN2 / totals.bytes,
    valTokens: totals.tokens,
  }
}

/** Evenly spaced window indices, ascending: all of them, or as many as hold `tokens`. */
function spreadWindows(available: number, contextSize: number, tokens: number): Int32Array {
  if (available < 1)
    throw new MonosemError(
      'config',
      `model/evaluate: the split is shorter than one window of ${contextSize} tokens`,
      {
        hint: 'give the corpus more text, or use a smaller context',
      },
    )
  const count = tokens === 0 ? available : Math.min(available, Math.max(1, Math.ceil(tokens / contextSize)))
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * available) / count))
}

/** The windows as a batch of fixed size: missing ones repeat the first, with nothing to predict. */
function paddedBatch(
  split: TokenSplit,
  contextSize: number,
  windows: Int32Array,
  batchSize: number,
): WindowBatch {
  const indices = new Int32Array(batchSize).fill(windows[0])
  indices.set(windows)
  const batch = fillWindows(split, contextSize, indices)
  batch.targets.fill(-1, windows.length * contextSize)
  return batch
}

function tokenByteLengths(tokenizer: Tokenizer): Int32Array {
  return Int32Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.tokenBytes(id).length)
}

/** Adds the losses of all counted targets of a batch. losses [N] */
function addBatch(
  totals: { model: number; bigram: number; unigram: number; tokens: number; bytes: number },
  losses: Float32Array,
  { tokens, targets }: WindowBatch,
  ngram: NgramModel,
  byteLengths: Int32Array,
): void {
  for (let n = 0; n < losses.length; n++) {
    const target = targets[n]
    if (target < 0) continue
    totals.model += losses[n]
    totals.bigram -= ngram.bigram(tokens[n], target)
    totals.unigram -= ngram.unigram(target)
    totals.tokens++
    totals.bytes += byteLengths[target]
  }
}
