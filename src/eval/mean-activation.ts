import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows } from '../corpus/windows.js'
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
}

/** Mean activation at a hook point over the text positions of some windows. [D] */
export async function meanActivation(options: MeanActivationOptions): Promise<Float32Array> {
  const { model, hookName } = options
  const { kernels } = model
  const t = model.config.context
  const d = hookWidth(model.config, hookName)
  const workspaces = perBatchSize(
    (windows) => createWorkspace(model, windows, t, { keep: [hookName] }),
    (workspace) => freeWorkspace(model, workspace),
  )
  const total = new Float64Array(d)
  const sums = kernels.zeros([d])
  let count = 0
  for (const windows of batchesOf(options.windows, options.batchWindows)) {
    const workspace = workspaces.get(windows.length)
    const batch = fillWindows(options.split, t, windows)
    const rows = textRows(batch.tokens, options.startOfText)
    if (rows.length === 0) continue
    forward(model, workspace, batch, { stopAfter: hookName })
    const ids = kernels.tensor(rows, [rows.length])
    const x = kernels.zeros([rows.length, d])
    kernels.gatherRows(x, workspace.activations[hookName], ids)
    kernels.columnSums(sums, x)
    const batchSums = await kernels.readF32(sums)
    for (let j = 0; j < d; j++) total[j] += batchSums[j]
    count += rows.length
    for (const tensor of [ids, x]) kernels.free(tensor)
  }
  kernels.free(sums)
  workspaces.free()
  return Float32Array.from(total, (sum) => (count > 0 ? sum / count : 0))
}
