import PQueue from 'p-queue'
import { MonosemError } from '../../errors/monosem-error.js'

/**
 * Kinds of work on the model. One job of each kind runs at a time, and of those that run, one computes at a time: the others go on when it
 * pauses. The next turn goes to text before write before measure.
 */
export type Lane =
  /** a pass over a text, short */
  | 'text'
  /** writing, token by token */
  | 'write'
  /** measuring over the corpus, long */
  | 'measure'

const priorities: Record<Lane, number> = { text: 2, write: 1, measure: 0 }

/** What a running job has to do with the others. */
export interface Job {
  /** aborted when the client leaves or the time is over; its reason is a MonosemError */
  signal: AbortSignal
  /**
   * Lets others have a turn, between two steps of long work.
   * @throws MonosemError interrupted, when the signal is aborted
   */
  pause(): Promise<void>
}

export interface JobOptions {
  lane: Lane
  /** aborted when nobody waits for the result any more */
  signal: AbortSignal
  /** hears how many jobs of the lane come before, at first and at each change; not called when the job starts at once */
  onQueued?: (ahead: number) => void
}

/** All model work of a server. */
export interface JobQueue {
  /** jobs that have not started */
  readonly waiting: number
  /** @throws MonosemError busy, when a job of this lane would have to wait and too many wait already */
  requireRoom(lane: Lane): void
  /**
   * Runs work when its turn has come.
   * @throws MonosemError busy (too many wait), interrupted (the signal, or the time is over), what the body throws
   */
  run<T>(options: JobOptions, body: (job: Job) => Promise<T>): Promise<T>
}

export interface JobQueueOptions {
  /** jobs that may wait; default 16 */
  mostWaiting?: number
  /** seconds that a job may run, by lane; default 30 for a text, 300 for the others */
  seconds?: Partial<Record<Lane, number>>
}

export function createJobQueue({ mostWaiting = 16, seconds = {} }: JobQueueOptions = {}): JobQueue {
  const turns = new PQueue({ concurrency: 1 })
  const one = () => new PQueue({ concurrency: 1 })
  const lanes: Record<Lane, PQueue> = { text: one(), write: one(), measure: one() }
  const limits = { text: 30, write: 300, measure: 300, ...seconds }
  const waiting = new Set<JobOptions>()
  const requireRoom = (lane: Lane): void => {
    if (waiting.size < mostWaiting || lanes[lane].pending === 0) return
    throw new MonosemError('busy', `the model is busy, and ${waiting.size} others wait for it already`, {
      hint: 'try again in a few seconds',
    })
  }
  const leave = (options: JobOptions): void => {
    if (waiting.delete(options)) announce(waiting, options.lane)
  }
  const run = async <T>(options: JobOptions, body: (job: Job) => Promise<T>): Promise<T> => {
    const { lane } = options
    requireRoom(lane)
    const queued = { ...options }
    waiting.add(queued)
    const start = (): Promise<T> => {
      leave(queued)
      return runInTurns(turns, options, limits[lane], body)
    }
    const result = addWaiting(lanes[lane], start, { signal: options.signal })
    if (waiting.has(queued)) queued.onQueued?.(aheadOf(queued, waiting))
    try {
      return await result
    } finally {
      leave(queued)
    }
  }
  return {
    get waiting() {
      return waiting.size
    },
    requireRoom,
    run,
  }
}

/** Jobs of the same lane before this one: the one that runs, and those that came earlier. */
function aheadOf(one: JobOptions, waiting: ReadonlySet<JobOptions>): number {
  const lane = [...waiting].filter((other) => other.lane === one.lane)
  return lane.indexOf(one) + 1
}

function announce(waiting: ReadonlySet<JobOptions>, lane: Lane): void {
  for (const one of waiting) if (one.lane === lane) one.onQueued?.(aheadOf(one, waiting))
}

/** Runs a job that gives its turn back at every pause, and at its end. */
async function runInTurns<T>(
  turns: PQueue,
  { lane, signal }: JobOptions,
  seconds: number,
  body: (job: Job) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const leave = (): void => stop.abort(clientLeft())
  const timer = setTimeout(() => stop.abort(tooLong(seconds)), seconds * 1000)
  signal.addEventListener('abort', leave)
  let endTurn = (): void => {}
  const pause = async (): Promise<void> => {
    endTurn()
    endTurn = () => {}
    endTurn = await takeTurn(turns, priorities[lane], stop.signal)
  }
  try {
    await pause()
    return await body({ signal: stop.signal, pause })
  } catch (error) {
    // What stops inside of the work says less than why it was stopped.
    throw stop.signal.aborted ? stop.signal.reason : error
  } finally {
    endTurn()
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
}

/** Resolves when it is our turn, with the function that ends it. */
function takeTurn(turns: PQueue, priority: number, signal: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    addWaiting(turns, () => new Promise<void>(resolve), { priority, signal }).catch(reject)
  })
}

/**
 * Adds work to a queue, which the signal takes out again as long as it waits. PQueue's own use of a signal would also take running work for
 * ended while it still frees its memory.
 */
async function addWaiting<T>(
  queue: PQueue,
  work: () => Promise<T>,
  { priority = 0, signal }: { priority?: number; signal: AbortSignal },
): Promise<T> {
  const before = new AbortController()
  const leave = (): void => before.abort(signal.reason instanceof MonosemError ? signal.reason : clientLeft())
  const started = (): void => signal.removeEventListener('abort', leave)
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave)
  const begin = (): Promise<T> => {
    started()
    return work()
  }
  try {
    return await queue.add(begin, { priority, signal: before.signal })
  } finally {
    started()
  }
}

const clientLeft = (): MonosemError =>
  new MonosemError('interrupted', 'stopped: nobody waits for the answer any more')

const tooLong = (seconds: number): MonosemError =>
  new MonosemError('interrupted', `stopped after ${seconds} seconds, the most that one request may take`, {
    hint: 'ask for less: fewer tokens, or a simpler expression',
  })
