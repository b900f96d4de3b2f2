import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows, type WindowBatch } from '../corpus/windows.js'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import type { Codes, Tensor } from '../kernels/kernels.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  type Transformer,
  type Workspace,
} from '../model/transformer.js'
import { encode, type Sae } from '../sae/sae.js'
import { perBatchSize } from './per-batch-size.js'
import { batchesOf, textRows } from './sample-windows.js'

/** What to encode: windows of one split through a model up to the autoencoder's hook point. */
export interface EncodedWindowsOptions {
  model: Transformer
  sae: Sae
  split: TokenSplit
  /** the token that opens every document; its positions are left out */
  startOfText: number
  /** window indices, in the order wanted */
  windows: Int32Array
  /** windows per forward pass */
  batchWindows: number
  /** also read the raw activations back */
  withActivations?: boolean
  /** share the batches: rank i mod R computes batch i, and all ranks get all of them. Default: this process computes every one */
  ranks?: Communicator
}

/** Feature activations of a batch of B windows of T tokens; n of the B*T positions hold text. */
export interface EncodedBatch {
  /** [B] */
  windows: Int32Array
  batch: WindowBatch
  /** [n] positions in the batch, b * T + t, that hold text; ascending */
  rows: Int32Array
  /** of the n text positions */
  codes: Codes
  /** [n, D] when asked for */
  activations: Float32Array | null
}

interface EncodeBuffers {
  workspace: Workspace
  /** [B*T, D] room for the activations of text positions */
  x: Tensor
}

/**
 * Runs the model up to the hook point and encodes what is there, batch by batch. The next batch is computed
 * while the caller works on the current one. With several ranks all iterate, to the end, and see the same.
 */
export async function* encodedWindows(options: EncodedWindowsOptions): AsyncGenerator<EncodedBatch> {
  const { model, sae, ranks = singleRank } = options
  const t = model.config.context
  const buffers = perBatchSize<EncodeBuffers>(
    (windows) => ({
      workspace: createWorkspace(model, windows, t, { keep: [sae.hookName] }),
      x: model.kernels.zeros([windows * t, sae.d]),
    }),
    ({ workspace, x }) => {
      freeWorkspace(model, workspace)
      model.kernels.free(x)
    },
  )
  const batches = batchesOf(options.windows, options.batchWindows)
  const compute = (i: number): Promise<EncodedBatch> =>
    encodeBatch(options, batches[i], buffers.get(batches[i].length))
  try {
    yield* inOrder(ranks, batches.length, compute, 'every')
  } finally {
    buffers.free()
  }
}

async function encodeBatch(
  options: EncodedWindowsOptions,
  windows: Int32Array,
  { workspace, x }: EncodeBuffers,
): Promise<EncodedBatch> {
  const { model, sae, split } = options
  const { kernels } = model
  const batch = fillWindows(split, model.config.context, windows)
  const rows = textRows(batch.tokens, options.startOfText)
  const none = options.withActivations ? new Float32Array(0) : null
  if (rows.length === 0) return { windows, batch, rows, codes: emptyCodes(), activations: none }
  forward(model, workspace, batch, { stopAfter: sae.hookName })
  const ids = kernels.tensor(rows, [rows.length])
  const text = kernels.rows(x, 0, rows.length)
  kernels.gatherRows(text, workspace.activations[sae.hookName], ids)
  const [codes, activations] = await Promise.all([
    encode(sae, text),
    options.withActivations ? kernels.readF32(text) : null,
  ])
  kernels.free(ids)
  return { windows, batch, rows, codes, activations }
}

const emptyCodes = (): Codes => ({
  rowOffsets: new Int32Array(1),
  featureIds: new Int32Array(0),
  values: new Float32Array(0),
})
