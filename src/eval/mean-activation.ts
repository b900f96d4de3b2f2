import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows } from '../corpus/windows.js'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import { createWorkspace, forward, freeWorkspace, hookWidth, type Transformer } from '../model/transformer.js'
import { perBatchSize } from './per-batch-size.js'
import { batchesOf, textRows } from './sample-windows.js'

export interface MeanActivationOptions {
  model: Transformer
  hookName: string
  split: TokenSplit
  startOfText: number
  windows: Int32Array
  /** windows per forward pass */
  batchWindows: number
  /** share the batches; default: this process computes every one */
  ranks?: Communicator
}

/** Sums over the n text positions of a batch. [D] */
interface BatchSums {
  n: number
  sums: Float32Array
}

/** Mean activation at a hook point over the text positions of some windows: the same on all ranks. [D] */
export async function meanActivation(options: MeanActivationOptions): Promise<Float32Array> {
  const { model, hookName, ranks = singleRank } = options
  const { kernels } = model
  const t = model.config.context
  const d = hookWidth(model.config, hookName)
  const workspaces = perBatchSize(
    (windows) => createWorkspace(model, windows, t, { keep: [hookName] }),
    (workspace) => freeWorkspace(model, workspace),
  )
  const batches = batchesOf(options.windows, options.batchWindows)
  const total = new Float64Array(d)
  const sums = kernels.zeros([d])
  const compute = async (i: number): Promise<BatchSums> => {
    const workspace = workspaces.get(batches[i].length)
    const batch = fillWindows(options.split, t, batches[i])
    const rows = textRows(batch.tokens, options.startOfText)
    if (rows.length === 0) return { n: 0, sums: new Float32Array(d) }
    forward(model, workspace, batch, { stopAfter: hookName })
    const ids = kernels.tensor(rows, [rows.length])
    const x = kernels.zeros([rows.length, d])
    kernels.gatherRows(x, workspace.activations[hookName], ids)
    kernels.columnSums(sums, x)
    const read = kernels.readF32(sums)
    for (const tensor of [ids, x]) kernels.free(tensor)
    return { n: rows.length, sums: await read }
  }
  let count = 0
  for await (const batch of inOrder(ranks, batches.length, compute, 'every')) {
    for (let j = 0; j < d; j++) total[j] += batch.sums[j]
    count += batch.n
  }
  kernels.free(sums)
  workspaces.free()
  return Float32Array.from(total, (sum) => (count > 0 ? sum / count : 0))
}
