import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { readSafetensors, writeSafetensors } from '../formats/safetensors.js'
import type { OpenStage } from '../storage/open-stage.js'

/** Tokens per shard file: 32 MB as U16. */
const SHARD_TOKENS = 16 * 2 ** 20

const shardName = (split: string, index: number) => `${split}-${String(index).padStart(5, '0')}.safetensors`

/** Writes the tokens of one split as train-00000.safetensors, train-00001.safetensors, ... */
export interface ShardWriter {
  /** tokens appended so far */
  readonly length: number
  append(tokens: ArrayLike<number>): Promise<void>
  /** Writes the last shard; a split without a token gets one empty shard. */
  finish(): Promise<void>
}

/**
 * Starts the shards of a split: tensor "tokens", U16, or U32 when the vocabulary needs it.
 * @param shardTokens tokens per file
 * @throws MonosemError io, from append and finish
 */
export function createShardWriter(
  directory: string,
  split: string,
  vocabularySize: number,
  shardTokens = SHARD_TOKENS,
): ShardWriter {
  const create = (size: number) => (vocabularySize > 65536 ? new Uint32Array(size) : new Uint16Array(size))
  let buffer = create(Math.min(shardTokens, 1 << 16))
  let filled = 0
  let shards = 0
  let length = 0
  const flush = async () => {
    const data = buffer.slice(0, filled)
    await writeSafetensors(join(directory, shardName(split, shards++)), { tokens: { shape: [filled], data } })
    filled = 0
  }
  return {
    get length() {
      return length
    },
    append: async (tokens) => {
      for (let i = 0; i < tokens.length; i++) {
        if (filled === shardTokens) await flush()
        if (filled === buffer.length) {
          const larger = create(Math.min(shardTokens, buffer.length * 2))
          larger.set(buffer)
          buffer = larger
        }
        buffer[filled++] = tokens[i] as number
      }
      length += tokens.length
    },
    finish: async () => {
      if (filled > 0 || shards === 0) await flush()
    },
  }
}

/**
 * Reads all tokens of a split, after checking each file's hash.
 * @throws MonosemError missing, corrupt, format
 */
export async function readShards(
  stage: OpenStage<unknown>,
  split: string,
): Promise<Uint16Array | Uint32Array> {
  const shards: Array<Uint16Array | Uint32Array> = []
  while (stage.manifest.files[shardName(split, shards.length)] || shards.length === 0) {
    const path = await stage.file(shardName(split, shards.length))
    const tokens = (await readSafetensors(path)).tensors.tokens
    if (!tokens || !(tokens.data instanceof Uint16Array || tokens.data instanceof Uint32Array))
      throw new MonosemError('format', `${path}: expected a tensor "tokens" of U16 or U32`)
    shards.push(tokens.data)
  }
  const first = shards[0] as Uint16Array | Uint32Array
  if (shards.length === 1) return first
  const total = shards.reduce((sum, shard) => sum + shard.length, 0)
  const all = first instanceof Uint16Array ? new Uint16Array(total) : new Uint32Array(total)
  let at = 0
  for (const shard of shards) {
    all.set(shard, at)
    at += shard.length
  }
  return all
}
