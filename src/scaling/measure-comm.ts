import { cpus, hostname } from 'node:os'
import type { Communicator, ExchangeKind } from '../distributed/communicator.js'
import { allGatherValues } from '../distributed/values.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { ProgressTask } from '../progress/progress.js'
import {
  type CommKind,
  type CommPoint,
  type CommReport,
  commKinds,
  fitComm,
  worstError,
} from './comm-model.js'

const trials = 3

/**
 * Measures what the exchanges of training take between these ranks, from 8 bytes up, and fits the latency-bandwidth model. All ranks call it; all get the same.
 * @param largest size of the longest messages, bytes
 * @param trialSeconds about how long one size is repeated, three times; the fastest counts
 * @throws MonosemError config: there is only one rank
 */
export async function measureComm(
  ranks: Communicator,
  { largest, trialSeconds }: { largest: number; trialSeconds: number },
  task?: ProgressTask,
): Promise<CommReport> {
  if (ranks.size === 1)
    throw new MonosemError('config', 'bench comm: expected two ranks or more, got one', {
      hint: 'start it with mpirun -n 2 monosem bench comm, or with srun',
    })
  const hosts = await allGatherValues(ranks, hostname())
  const ranksPerNode = Math.max(...hosts.map((name) => hosts.filter((other) => other === name).length))
  const sizes = sizesUpTo(largest)
  const exchanges = {} as CommReport['exchanges']
  let done = 0
  for (const kind of commKinds) {
    const points: CommPoint[] = []
    for (const bytes of sizes) {
      points.push({ bytes, seconds: await secondsOf(ranks, kind, bytes, trialSeconds) })
      task?.update(++done, { exchange: kind, bytes })
    }
    const fitted = fitComm(kind, ranks.size, points)
    exchanges[kind] = { ...fitted, worst: worstError(fitted, kind, ranks.size, points), points }
  }
  return {
    kind: 'monosem bench comm',
    machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} processors`,
    library: ranks.library,
    ...{ ranks: ranks.size, ranksPerNode, exchanges },
  }
}

/** 8 bytes, 64, 512, ... and the largest. */
export function sizesUpTo(largest: number): number[] {
  const sizes: number[] = []
  for (let bytes = 8; bytes < largest; bytes *= 8) sizes.push(bytes)
  return [...sizes, largest]
}

/** The fastest of a few trials, each as long as its slowest rank takes. */
async function secondsOf(
  ranks: Communicator,
  kind: CommKind,
  bytes: number,
  trialSeconds: number,
): Promise<number> {
  const once = kind === 'broadcast' || kind === 'gather' ? timeOwn : timeKernels
  const slowest = async (repeats: number): Promise<number> =>
    (await ranks.max([await once(ranks, kind, bytes, repeats)]))[0]
  const repeats = Math.ceil(Math.min(1000, Math.max(1, trialSeconds / (await slowest(1)))))
  let fastest = Infinity
  for (let i = 0; i < trials; i++) fastest = Math.min(fastest, await slowest(repeats))
  return fastest
}

type Timer = (ranks: Communicator, kind: CommKind, bytes: number, repeats: number) => Promise<number>

const timeKernels: Timer = (ranks, kind, bytes, repeats) =>
  ranks.timeExchange(kind as ExchangeKind, bytes, repeats)

const timeOwn: Timer = async (ranks, kind, bytes, repeats) => {
  const whole = new Uint8Array(bytes)
  const part = new Uint8Array(Math.floor(bytes / ranks.size))
  await ranks.barrier()
  const start = performance.now()
  for (let i = 0; i < repeats; i++) {
    if (kind === 'broadcast') await ranks.broadcast(ranks.rank === 0 ? whole : new Uint8Array(0))
    else await ranks.gather(part)
  }
  return (performance.now() - start) / 1000 / repeats
}
