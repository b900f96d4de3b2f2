// Run by several ranks: what they agree on, what rank 0 does for all, and how they see that they differ. Rank 0 prints what all found.
import { shouldStop } from '../../../src/distributed/agree.js'
import { openRanks, readLaunch } from '../../../src/distributed/launch.js'
import { onFirstRank } from '../../../src/distributed/on-first-rank.js'
import { requireSameOnAllRanks } from '../../../src/distributed/same-on-all-ranks.js'
import { gatherValues } from '../../../src/distributed/values.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'

const { communicator: ranks, finalize } = openRanks(readLaunch())
const { rank } = ranks

const stopOn = (asked: number): AbortSignal | undefined => (rank === asked ? AbortSignal.abort() : undefined)

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return null
  } catch (error) {
    if (!(error instanceof MonosemError)) return (error as Error).message
    return { code: error.code, message: error.message, hint: error.hint }
  }
}

const fail = (error: Error) => () => (rank === 0 ? Promise.reject(error) : Promise.resolve())
const found = {
  stop: [await shouldStop(ranks, stopOn(1)), await shouldStop(ranks, stopOn(-1))],
  first: await onFirstRank(ranks, async () => [rank, new Uint8Array(2)]),
  known: await errorOf(onFirstRank(ranks, fail(new MonosemError('busy', 'not now', { hint: 'wait' })))),
  unknown: await errorOf(onFirstRank(ranks, fail(new Error('a mistake')))),
  same: await errorOf(requireSameOnAllRanks(ranks, { version: '1', options: 'x'.repeat(1000) })),
  differs: await errorOf(requireSameOnAllRanks(ranks, { version: '1', options: rank === 2 ? 'b' : 'a' })),
  lacks: await errorOf(requireSameOnAllRanks(ranks, { ...(rank === 1 ? {} : { corpus: 'c' }) })),
  long: await errorOf(requireSameOnAllRanks(ranks, { text: `${'x'.repeat(1000)}${rank === 1}` })),
}
const all = await gatherValues(ranks, found)
if (rank === 0) console.log(JSON.stringify(all))
finalize()
