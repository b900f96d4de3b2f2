import { createStore, produce } from 'solid-js/store'
import type { ErrorBody, SteerEvent, SteerRequest } from '../../../../src/server/protocol'
import { ApiError } from '../../api'
import { streamSteer } from './steer-stream'

type EventOf<Type extends SteerEvent['type']> = Extract<SteerEvent, { type: Type }>

/** waiting: sent, nothing came yet; writing: the server has begun */
export type Phase = 'idle' | 'waiting' | 'queued' | 'writing' | 'done' | 'stopped' | 'failed'

/** One run of the lab, as far as it has come. */
export interface SteerRun {
  phase: Phase
  /** what was asked for; null before the first run */
  request: SteerRequest | null
  /** runs before this one, while it is queued */
  ahead: number
  /** the prompt was longer than the context */
  truncated: boolean
  next: EventOf<'next'> | null
  unsteered: string
  steered: string
  judgements: Pick<EventOf<'done'>, 'unsteered' | 'steered'> | null
  error: unknown
}

const blank: SteerRun = {
  phase: 'idle',
  request: null,
  ahead: 0,
  truncated: false,
  next: null,
  unsteered: '',
  steered: '',
  judgements: null,
  error: null,
}

export const isRunning = ({ phase }: SteerRun): boolean =>
  phase === 'waiting' || phase === 'queued' || phase === 'writing'

/** What an event of the stream changes. */
function apply(run: SteerRun, event: SteerEvent): void {
  if (event.type === 'queued') Object.assign(run, { phase: 'queued', ahead: event.ahead })
  else if (event.type === 'start') Object.assign(run, { phase: 'writing', truncated: event.truncated })
  else if (event.type === 'next') run.next = event
  else if (event.type === 'text') run[event.side] += event.text
  else if (event.type === 'done')
    Object.assign(run, {
      phase: 'done',
      judgements: { unsteered: event.unsteered, steered: event.steered },
    })
  else fail(run, new ApiError(200, event.error satisfies ErrorBody['error']))
}

const fail = (run: SteerRun, error: unknown): void => {
  Object.assign(run, { phase: 'failed', error })
}

/** Starts, follows and stops steered runs, one at a time. Leaving the stream is what stops the server. */
export function createSteerRun(name: () => string) {
  const [run, setRun] = createStore<SteerRun>({ ...blank })
  let current: AbortController | null = null

  async function start(request: SteerRequest): Promise<void> {
    current?.abort()
    const controller = new AbortController()
    current = controller
    setRun({ ...blank, phase: 'waiting', request })
    try {
      for await (const event of streamSteer(name(), request, controller.signal)) {
        if (controller.signal.aborted) return
        setRun(produce((now) => apply(now, event)))
      }
      if (isRunning(run)) setRun(produce((now) => fail(now, endedEarly())))
    } catch (error) {
      if (!controller.signal.aborted) setRun(produce((now) => fail(now, error)))
    }
  }

  function stop(): void {
    current?.abort()
    if (isRunning(run)) setRun('phase', 'stopped')
  }
  return { run, start, stop }
}

const endedEarly = () =>
  new ApiError(0, {
    code: 'offline',
    message: 'The connection ended before the texts did.',
    hint: 'Is monosem serve still running?',
  })
