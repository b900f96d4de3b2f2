import { MonosemError } from '../errors/monosem-error.js'
import { openSafetensors } from '../formats/safetensors.js'
import {
  createSafetensorsWriter,
  type PlannedTensor,
  type SafetensorsWriter,
} from '../formats/safetensors-writer.js'
import type { NdArray } from '../kernels/nd-array.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { RunConfig } from './run-config.js'
import { predictRows, readActivations, runPass, stopOf } from './run-tokens.js'
import { sliceBatch, type TokenBatch, tokenBatch } from './token-batch.js'
import { hookWidth, type Transformer } from './transformer.js'

/** What was written. */
export interface RunSummary {
  /** B */
  sequences: number
  /** T */
  length: number
  /** mean next-token cross-entropy, nats; null where it was not asked for, or sequences have one token */
  loss: number | null
  /** shapes by name of the tensor */
  tensors: Record<string, number[]>
}

/** What is to be computed and where it goes. */
interface Job {
  model: Transformer
  /** hook points */
  read: string[]
  logits: boolean
  loss: boolean
  stopAfter: string
  writer: SafetensorsWriter
  signal?: AbortSignal
}

/**
 * Runs a model on the token ids of one safetensors file and writes what is asked for into another: batch by batch, so that memory is bounded
 * however many sequences there are. Reads `input_ids` [B, T] (I32 or I64). Writes, all F32: `logits` [B, T, V], `loss` [1] (left out where
 * sequences have one token), and under the name of each hook point its activations [B, T, width], attention patterns [B, H, T, T].
 * @throws MonosemError missing (no input_ids), shape (ids that the model cannot read), config (unknown hook point, nothing to write, padding),
 * format, corrupt, io, interrupted
 */
export async function runFile(
  model: Transformer,
  config: RunConfig,
  paths: { input: string; output: string },
  context: StageContext,
): Promise<RunSummary> {
  const all = tokenBatch(model.config, await readIds(paths.input))
  const { sequences: B, length: T } = all
  const read = [...new Set(config.hook)]
  const wanted = { read, logits: config.logits, loss: config.loss && T > 1 }
  if (!wanted.logits && !wanted.loss && read.length === 0)
    throw new MonosemError('config', 'model run: nothing is asked for', {
      hint: 'ask for a hook point with --hook, or for the logits or the loss',
    })
  const stopAfter = stopOf(model, { read }, wanted.logits || wanted.loss)
  const tensors = planTensors(model, all, wanted)
  const writer = await createSafetensorsWriter(paths.output, tensors)
  const job: Job = { model, ...wanted, stopAfter, writer, signal: context.signal }
  const task = context.progress.start('run', B * T, 'tokens')
  try {
    let nats = 0
    const size = Math.max(1, Math.floor(config.batchTokens / T))
    for (let first = 0; first < B; first += size) {
      const batch = sliceBatch(all, first, Math.min(size, B - first))
      nats += await runBatch(job, batch, first)
      task.update((first + batch.sequences) * T)
    }
    const loss = wanted.loss ? nats / (B * (T - 1)) : null
    if (loss !== null) await writer.write('loss', Float32Array.of(loss))
    await writer.finish()
    task.end(loss === null ? undefined : `loss ${loss.toFixed(4)}`)
    const shapes = Object.entries(tensors).map(([name, { shape }]) => [name, [...shape]])
    return { sequences: B, length: T, loss, tensors: Object.fromEntries(shapes) }
  } finally {
    await writer.discard()
  }
}

/** One pass; the sum of its losses. @param first index of its first sequence in the file */
async function runBatch(job: Job, batch: TokenBatch, first: number): Promise<number> {
  const { model, writer, read, logits, loss, stopAfter, signal } = job
  return runPass(model, batch, { stopAfter, read, signal }, async (workspace) => {
    for (const name of read) {
      const { [name]: activation } = await readActivations(model, workspace, [name])
      await writer.write(name, activation.data, (first * activation.data.length) / batch.sequences)
    }
    if (!logits && !loss) return 0
    const V = model.config.vocabularySize
    let nats = 0
    for await (const rows of predictRows(model, workspace, batch, { logits, loss, signal })) {
      throwIfInterrupted(signal)
      if (logits) await writer.write('logits', rows.logits, (first * batch.length + rows.first) * V)
      nats += rows.losses.reduce((sum, value) => sum + value, 0)
    }
    return nats
  })
}

function planTensors(
  { config }: Transformer,
  { sequences: B, length: T }: TokenBatch,
  wanted: Pick<Job, 'read' | 'logits' | 'loss'>,
): Record<string, PlannedTensor> {
  const tensors: Record<string, PlannedTensor> = {}
  for (const name of wanted.read) {
    const shape = name.endsWith('hook_pattern') ? [B, config.heads, T, T] : [B, T, hookWidth(config, name)]
    tensors[name] = { dtype: 'F32', shape }
  }
  if (wanted.logits) tensors.logits = { dtype: 'F32', shape: [B, T, config.vocabularySize] }
  if (wanted.loss) tensors.loss = { dtype: 'F32', shape: [1] }
  return tensors
}

/** `input_ids` [B, T] of a file. */
async function readIds(path: string): Promise<NdArray<Int32Array>> {
  const file = await openSafetensors(path)
  try {
    const entry = file.entries.get('input_ids')
    if (!entry)
      throw new MonosemError('missing', `${path}: expected a tensor input_ids, there is none`, {
        hint: `it has ${[...file.entries.keys()].slice(0, 8).join(', ') || 'no tensors'}`,
      })
    await requireNoPadding(file, path)
    const { shape, data } = await file.read('input_ids')
    if (shape.length === 2 && data instanceof Int32Array) return { shape, data }
    throw new MonosemError(
      'shape',
      `${path}: expected input_ids [B, T] of I32 or I64, got ${entry.dtype} [${shape.join(', ')}]`,
    )
  } finally {
    await file.close()
  }
}

/** An `attention_mask` of ones says nothing; one with zeros asks for what is not done here. */
async function requireNoPadding(
  file: Awaited<ReturnType<typeof openSafetensors>>,
  path: string,
): Promise<void> {
  if (!file.entries.has('attention_mask')) return
  const { data } = await file.read('attention_mask')
  if (data.every((value) => value === 1)) return
  throw new MonosemError('config', `${path}: attention_mask hides positions, and padding is not supported`, {
    hint: 'run sequences of one length at a time, without padding',
  })
}
