import { deserialize, serialize } from 'node:v8'
import type { Communicator } from './communicator.js'

/*
 * Values of JavaScript between ranks: whatever can be cloned (objects, typed arrays, maps), in V8's own format. All ranks run the same version of the
 * program (`requireSameOnAllRanks`), so that none reads what another version wrote.
 */

/** The value of rank 0, on every rank; the others need not give one. */
export async function broadcastValue<T>(ranks: Communicator, value: T | undefined): Promise<T> {
  if (ranks.size === 1) return value as T
  const bytes = await ranks.broadcast(ranks.rank === 0 ? serialize(value) : new Uint8Array(0))
  return deserialize(bytes) as T
}

/** The values of every rank, on rank 0; null on the others. */
export async function gatherValues<T>(ranks: Communicator, value: T): Promise<T[] | null> {
  if (ranks.size === 1) return [value]
  return (await ranks.gather(serialize(value)))?.map((bytes) => deserialize(bytes) as T) ?? null
}

/** The values of every rank, on every rank. */
export async function allGatherValues<T>(ranks: Communicator, value: T): Promise<T[]> {
  if (ranks.size === 1) return [value]
  return (await ranks.allGather(serialize(value))).map((bytes) => deserialize(bytes) as T)
}
