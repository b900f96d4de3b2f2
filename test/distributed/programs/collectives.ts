// Run by several ranks: every collective once; rank 0 prints what came of it.
import { inOrder } from '../../../src/distributed/in-order.js'
import { openMpi } from '../../../src/distributed/mpi.js'
import { allGatherValues, broadcastValue, gatherValues } from '../../../src/distributed/values.js'

const { communicator, finalize } = openMpi()
const { rank, size } = communicator
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const say = (word: string, length = 1): Uint8Array => Buffer.from(word.repeat(length))

const items: number[] = []
for await (const item of inOrder(communicator, 2 * size + 1, async (i) => i * i)) items.push(item)
const everywhere: number[] = []
for await (const item of inOrder(communicator, size - 1, async (i) => i, 'every')) everywhere.push(item)
const half = await communicator.split(rank % 2)
const large = await communicator.broadcast(
  rank === 1 ? new Uint8Array(3_000_000).fill(7) : new Uint8Array(0),
  1,
)
await communicator.barrier()
const found = {
  size,
  gathered: (await communicator.gather(say(String(rank), rank + 1), 1)) === null,
  allGathered: (await communicator.allGather(say(String(rank), rank))).map(text),
  sum: [...(await communicator.sum([rank, 1, 0.5]))],
  max: [...(await communicator.max([rank, -rank]))],
  half: [half.rank, half.size, ...(await half.sum([rank]))],
  large: [large.length, large[0], large[2_999_999]],
  items,
  everywhere,
  value: await broadcastValue(
    communicator,
    rank === 0 ? { a: new Float32Array([1, 2]), b: null } : undefined,
  ),
  values: await gatherValues(communicator, { rank }),
  allValues: await allGatherValues(communicator, rank),
}
const all = await gatherValues(communicator, found)
if (rank === 0) console.log(JSON.stringify(all))
finalize()
