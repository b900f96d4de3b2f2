import { requireSaeFits } from '../activations/sae-on-model.js'
import type { TokenSplit } from '../corpus/corpus.js'
import type { Tokenizer } from '../corpus/tokenizer.js'
import { type EncodedBatch, encodedWindows } from '../eval/encoded-windows.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import type { ProbeConfig } from './probe-config.js'
import { createSparseBuilder, type SparseMatrix } from './sparse-matrix.js'

/** Texts as numbers: what probes are fitted to. */
export interface PooledTexts {
  /** [texts, F] feature activations, pooled over the tokens of each text */
  features: SparseMatrix
  /** [texts, D] raw activations at the hook point, pooled the same way */
  raw: Float32Array
  /** [texts, V] how often each token stands in each text */
  tokens: SparseMatrix
  /** texts that are longer than the context and were cut into windows */
  longTexts: number
  windows: number
}

/**
 * Runs texts through model and autoencoder and pools. Every text starts a window of its own, after the start-of-text token; one that is longer
 * than the context goes on in further windows, as documents of a corpus do, and is pooled over all of them.
 * @throws MonosemError missing, shape (the autoencoder does not fit the model), interrupted
 */
export async function poolTexts(
  texts: readonly string[],
  config: Pick<ProbeConfig, 'pool' | 'batchWindows'>,
  inputs: { model: Transformer; sae: Sae; tokenizer: Tokenizer },
  context: StageContext = { progress: silentProgress },
): Promise<PooledTexts> {
  const { model, sae, tokenizer } = inputs
  requireSaeFits(model, sae)
  const size = model.config.context
  const encoded = texts.map((text) => tokenizer.encode(text))
  const windowsOf = encoded.map((tokens) => Math.ceil((tokens.length + 1) / size))
  const textOf = Int32Array.from(windowsOf.flatMap((windows, text) => Array<number>(windows).fill(text)))
  const split = textsAsSplit(encoded, windowsOf, size, tokenizer.startOfText)
  const pools = {
    features: createPool(sae.features, config.pool),
    raw: new Float32Array(texts.length * sae.d).fill(config.pool === 'mean' ? 0 : -Infinity),
    sae,
  }
  const features = createSparseBuilder(sae.features)
  const task = context.progress.start('encode texts', textOf.length, 'windows')
  let text = 0
  let done = 0
  const finishUpTo = (end: number): void => {
    for (; text < end; text++) pools.features.flush(features, encoded[text].length)
  }
  const windows = Int32Array.from(textOf.keys())
  const options = {
    model,
    sae,
    split,
    startOfText: tokenizer.startOfText,
    windows,
    batchWindows: config.batchWindows,
  }
  for await (const batch of encodedWindows({ ...options, withActivations: true })) {
    throwIfInterrupted(context.signal)
    for (let row = 0; row < batch.rows.length; row++) {
      const owner = textOf[batch.windows[Math.floor(batch.rows[row] / size)]]
      finishUpTo(owner)
      pools.features.add(batch.codes, row)
      addRaw(pools.raw, owner, batch, row, sae.d, config.pool)
    }
    done += batch.windows.length
    task.update(done)
  }
  finishUpTo(texts.length)
  finishRaw(pools.raw, encoded, sae.d, config.pool)
  task.end()
  return {
    features: features.build(),
    raw: pools.raw,
    tokens: tokenCounts(encoded, tokenizer.vocabularySize),
    longTexts: windowsOf.filter((count) => count > 1).length,
    windows: textOf.length,
  }
}

/** The texts as the documents of a split, each filled up with the start-of-text token to whole windows. */
function textsAsSplit(
  texts: readonly Int32Array[],
  windowsOf: readonly number[],
  size: number,
  startOfText: number,
): TokenSplit {
  const starts = new Int32Array(texts.length)
  for (let i = 1; i < texts.length; i++) starts[i] = starts[i - 1] + windowsOf[i - 1] * size
  const total = windowsOf.reduce((sum, windows) => sum + windows * size, 0)
  // The last token of a split is only ever a target.
  const tokens = new Uint32Array(total + 1).fill(startOfText)
  texts.forEach((text, i) => {
    tokens.set(text, starts[i] + 1)
  })
  return {
    name: 'validation',
    tokens,
    documentStarts: starts,
    documentIds: starts.map((_, i) => i),
    bytes: 0,
  }
}

/** Gathers the codes of one text at a time. */
function createPool(columns: number, pool: ProbeConfig['pool']) {
  const values = new Float64Array(columns)
  let touched: number[] = []
  return {
    add({ rowOffsets, featureIds, values: activations }: EncodedBatch['codes'], row: number): void {
      for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++) {
        const id = featureIds[e]
        if (values[id] === 0) touched.push(id)
        values[id] = pool === 'mean' ? values[id] + activations[e] : Math.max(values[id], activations[e])
      }
    },
    flush(builder: ReturnType<typeof createSparseBuilder>, tokens: number): void {
      const ids = Int32Array.from(touched).sort()
      const share = pool === 'mean' ? tokens : 1
      builder.add(
        ids,
        Float64Array.from(ids, (id) => values[id] / share),
      )
      values.fill(0)
      touched = []
    },
  }
}

function addRaw(
  raw: Float32Array,
  text: number,
  { activations }: EncodedBatch,
  row: number,
  d: number,
  pool: ProbeConfig['pool'],
): void {
  const from = activations as Float32Array
  for (let j = 0; j < d; j++) {
    const value = from[row * d + j]
    const at = text * d + j
    raw[at] = pool === 'mean' ? raw[at] + value : Math.max(raw[at], value)
  }
}

function finishRaw(
  raw: Float32Array,
  texts: readonly Int32Array[],
  d: number,
  pool: ProbeConfig['pool'],
): void {
  if (pool === 'mean') for (let i = 0; i < raw.length; i++) raw[i] /= texts[Math.floor(i / d)].length
}

function tokenCounts(texts: readonly Int32Array[], vocabularySize: number): SparseMatrix {
  const builder = createSparseBuilder(vocabularySize)
  for (const text of texts) {
    const counts = new Map<number, number>()
    for (const token of text) counts.set(token, (counts.get(token) ?? 0) + 1)
    const ids = Int32Array.from(counts.keys()).sort()
    builder.add(
      ids,
      Array.from(ids, (id) => counts.get(id) as number),
    )
  }
  return builder.build()
}
