import { createParser } from 'eventsource-parser'
import type { Kernels, Tensor } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { ReferenceTensor } from '../../src/kernels/reference-tensor.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'
import { createApp } from '../../src/server/app.js'
import { createJobQueue, type JobQueue } from '../../src/server/model/job-queue.js'
import type { SteerEvent } from '../../src/server/protocol.js'
import { openServedRun, type ServedRun } from '../../src/server/served-run.js'
import { smallRun, sparseArrays } from '../small-run.js'
import type { Lifetime } from '../temporary-directory.js'

/** The reference kernels, which say how many tensors nobody has freed and how many passes over new tokens were asked for. */
export interface CountingKernels extends Kernels {
  live(): number
  passes(): number
}

export function countingKernels(): CountingKernels {
  const kernels = createReferenceKernels()
  // By their memory, which windows share: freeing a window frees what it looks at.
  const owned = new Set<ReferenceTensor>()
  let passes = 0
  const own = (tensor: Tensor): Tensor => {
    if (tensor instanceof ReferenceTensor) owned.add(tensor)
    return tensor
  }
  return {
    ...kernels,
    zeros: (shape, dtype) => own(kernels.zeros(shape, dtype)),
    tensor: (data, shape) => own(kernels.tensor(data, shape)),
    attentionCachedForward: (...args) => {
      passes++
      kernels.attentionCachedForward(...args)
    },
    live: () => [...owned].filter(({ storage }) => storage.data !== null).length,
    passes: () => passes,
  }
}

/** What a test does with a served run that has a model. */
export interface ModelApp {
  root: string
  run: ServedRun
  kernels: CountingKernels
  queue: JobQueue
  get(path: string): Promise<Response>
  /** @param path after the address of the run */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<Response>
}

/** A small run behind an app. The last feature of the default arrays is dead. */
export async function modelApp(
  t: Lifetime,
  options: {
    arrays?: SaeArrays
    queue?: JobQueue
    kernels?: () => Promise<Kernels>
    prepare?: (root: string) => Promise<unknown>
  } = {},
): Promise<ModelApp> {
  const { root } = await smallRun(t, { arrays: options.arrays ?? sparseArrays() })
  await options.prepare?.(root)
  const kernels = countingKernels()
  const queue = options.queue ?? createJobQueue()
  const run = await openServedRun(root, 'small', { kernels: options.kernels ?? (async () => kernels), queue })
  t.after(() => run.close())
  const app = createApp(new Map([['small', run]]), new Map(), { log: () => {} })
  const address = (path: string): string => `/api/v1/runs/small${path}`
  return {
    ...{ root, run, kernels, queue },
    get: async (path) => app.request(address(path)),
    post: async (path, body, signal) =>
      app.request(address(path), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        signal,
      }),
  }
}

/** Events of a stream as they come. Ending the loop cancels the stream. */
export async function* eventsOf(response: Response): AsyncGenerator<SteerEvent, void, void> {
  const ready: SteerEvent[] = []
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const parsed = JSON.parse(data) as SteerEvent
      if (parsed.type !== event) throw new Error(`event ${event} holds ${parsed.type}`)
      ready.push(parsed)
    },
  })
  for await (const text of (response.body as ReadableStream<Uint8Array>).pipeThrough(
    new TextDecoderStream(),
  )) {
    parser.feed(text)
    yield* ready.splice(0)
  }
}

export async function allEvents(response: Response): Promise<SteerEvent[]> {
  const events: SteerEvent[] = []
  for await (const event of eventsOf(response)) events.push(event)
  return events
}

/** What a side has written. */
export const textOf = (events: readonly SteerEvent[], side: 'unsteered' | 'steered'): string =>
  events.map((event) => (event.type === 'text' && event.side === side ? event.text : '')).join('')
