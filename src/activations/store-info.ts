import { z } from 'zod'

/** The file of a store that describes the others. */
export const STORE_FILE = 'activations.json'

/** What activations.json holds. `docs/activations.md` describes the files beside it. */
export const storeInfoSchema = z.object({
  /** where the model came from; "monosem" for one that Monosem trained */
  modelName: z.string(),
  hooks: z.array(z.object({ name: z.string(), width: z.int().positive() })).min(1),
  dtype: z.enum(['f32', 'bf16']),
  split: z.enum(['train', 'validation']),
  /** tokens that the model saw at a time */
  contextSize: z.int().positive(),
  /** whether every window of the text began with a start-of-text token of its own */
  prependBos: z.boolean(),
  /** token whose activations were left out; null where all were kept */
  leftOutToken: z.int().nullable(),
  /** activations of each hook point */
  rows: z.int().positive(),
  /** rows of each shard, [shards] */
  shardRows: z.array(z.int().positive()).min(1),
})

export type StoreInfo = z.infer<typeof storeInfoSchema>

/** A file of a store: "blocks.0.mlp.hook_post-00003.safetensors" */
export const shardFile = (hookName: string, shard: number): string =>
  `${hookName}-${String(shard).padStart(5, '0')}.safetensors`

/** Tensors of a shard. The ids are I32 [n]: one number for each row. */
export const shardTensors = {
  /** F32 or BF16 [n, D] */
  activations: 'activations',
  /** the token that the row is the activation of */
  tokenIds: 'token_ids',
  /** its place in the window that the model saw, from 0 */
  positions: 'positions',
  /** DocumentRecord.document of the corpus */
  documentIds: 'document_ids',
} as const

export const bytesPerValue = { f32: 4, bf16: 2 } as const
