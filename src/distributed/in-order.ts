import type { Communicator } from './communicator.js'
import { allGatherValues, gatherValues } from './values.js'

/** Where the results of `inOrder` come out: rank 0 alone, or every rank. */
export type Receivers = 'first' | 'every'

/**
 * Computes items 0 .. count - 1 on all ranks, item i on rank i mod R, and gives the results in the order of the items: whoever adds them up does
 * what a single rank would do, to the bit. While results are on their way and are looked at, each rank computes its next item; no rank is more than a round ahead.
 *
 * All ranks iterate, to the end; with `receivers` 'first' (the default) the others see no results.
 * @param compute an error ends the iteration on this rank only: it has to end the job (see `abort`)
 */
export async function* inOrder<T>(
  ranks: Communicator,
  count: number,
  compute: (item: number) => Promise<T>,
  receivers: Receivers = 'first',
): AsyncGenerator<T> {
  const rounds = Math.ceil(count / ranks.size)
  const start = (round: number): Promise<T | undefined> => {
    const item = round * ranks.size + ranks.rank
    const result = item < count ? compute(item) : Promise.resolve(undefined)
    // whoever awaits it sees the error; until then it must not end the process
    result.catch(() => {})
    return result
  }
  let next = rounds > 0 ? start(0) : null
  try {
    for (let round = 0; round < rounds; round++) {
      const own = await next
      if (round + 1 < rounds) next = start(round + 1)
      const all = await (receivers === 'every' ? allGatherValues(ranks, own) : gatherValues(ranks, own))
      for (const result of all?.slice(0, count - round * ranks.size) ?? []) yield result as T
    }
  } finally {
    // An error, or a caller that stops early, leaves an item under way, with buffers that are about to be freed.
    await next?.catch(() => {})
  }
}
