import { join } from 'node:path'
import { type HarvestConfig, harvestConfigSchema } from '../../src/activations/harvest-config.js'
import { runHarvestStage } from '../../src/activations/harvest-stage.js'
import { STORE_FILE, type StoreInfo, shardFile, shardTensors } from '../../src/activations/store-info.js'
import { createSafetensorsStream } from '../../src/formats/safetensors-stream.js'
import { writeFileAtomic } from '../../src/storage/atomic-file.js'
import { runStage } from '../../src/storage/stage.js'
import { context } from '../small-run.js'
import { type Lifetime, temporaryDirectory } from '../temporary-directory.js'

/** Harvests with the model of a small run; gives the directory. */
export async function harvested(
  inputs: { corpus: string; model: string },
  out: string,
  options: Partial<HarvestConfig> = {},
  more: Partial<typeof context & { signal: AbortSignal }> = {},
): Promise<string> {
  const config = harvestConfigSchema.parse({ hook: ['blocks.0.mlp.hook_post'], modelBatch: 4, ...options })
  const { corpus, model } = inputs
  const { directory } = await runHarvestStage(config, { corpus, model, out }, { ...context, ...more })
  return directory
}

/** Hook points of `madeStore`. */
export const madeHooks = ['a', 'b']

/**
 * A store whose rows are known: row r of all holds [r, 1] at hook point "a" and [-r] at "b"; it is position r mod `window` of a window, and
 * every window is a document.
 */
export async function madeStore(t: Lifetime, shardRows: number[], window = 10): Promise<string> {
  const out = join(await temporaryDirectory(t), 'activations')
  const info: StoreInfo = {
    ...{ modelName: 'made', dtype: 'f32', split: 'train', contextSize: window, prependBos: false },
    hooks: madeHooks.map((name, i) => ({ name, width: 2 - i })),
    ...{ leftOutToken: null, rows: shardRows.reduce((a, b) => a + b, 0), shardRows },
  }
  await runStage({ stage: 'activations', out, config: {}, inputs: {} }, async (partial) => {
    let first = 0
    for (const [shard, rows] of shardRows.entries()) {
      const ids = Int32Array.from({ length: rows }, (_, i) => first + i)
      const values = [
        Float32Array.from([...ids].flatMap((id) => [id, 1])),
        Float32Array.from(ids, (id) => -id),
      ]
      const known = {
        [shardTensors.tokenIds]: { shape: [rows], data: ids },
        [shardTensors.positions]: { shape: [rows], data: ids.map((id) => id % window) },
        [shardTensors.documentIds]: { shape: [rows], data: ids.map((id) => Math.floor(id / window)) },
      }
      for (const [i, { name, width }] of info.hooks.entries()) {
        const streamed = { name: shardTensors.activations, dtype: 'F32' as const, shape: [rows, width] }
        const path = join(partial, shardFile(name, shard))
        const stream = await createSafetensorsStream(path, { known, streamed, metadata: {} })
        await stream.append(new Uint8Array(values[i].buffer))
        await stream.finish()
      }
      first += rows
    }
    await writeFileAtomic(join(partial, STORE_FILE), JSON.stringify(info))
  })
  return out
}
