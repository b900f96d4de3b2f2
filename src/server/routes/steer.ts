import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import { failureBody } from '../error-body.js'
import type { Job, JobQueue } from '../model/job-queue.js'
import { requireRunner } from '../model/model-runner.js'
import { editsOf, runSteering } from '../model/steer-run.js'
import { errorSchema, type SteerEvent, steerEventSchema, steerRequestSchema } from '../protocol.js'
import { runNamed, type ServedRuns } from '../server-runs.js'
import { answers, body, runParams } from './describe.js'

/** Two continuations of a prompt side by side, one of them steered. */
export function addSteerRoutes(api: OpenAPIHono, runs: ServedRuns): void {
  api.openapi(
    createRoute({
      method: 'post',
      path: '/runs/{run}/steer',
      summary: 'Write on from a prompt with and without features changed, as server-sent events',
      description: 'The name of each event is its type. Close the connection to stop the writing.',
      request: { params: runParams, body: body(steerRequestSchema) },
      responses: {
        200: {
          description: 'queued*, start, next, text*, done; or error in place of what is left',
          content: { 'text/event-stream': { schema: steerEventSchema } },
        },
        default: answers(errorSchema, '').default,
      },
    }),
    async (c) => {
      const run = runNamed(runs, c.req.valid('param').run)
      const { queue, load } = requireRunner(run)
      const request = c.req.valid('json')
      const edits = await editsOf(run.store, request.edits)
      const loaded = await load()
      // What can be refused is refused before the stream begins, with a status of its own.
      queue.requireRoom('write')
      const { signal } = c.req.raw
      // The events are the answer: the type of a route has no word for a stream.
      return streamSSE(c, (stream) =>
        sendEvents(stream, queue, signal, (job, emit) => runSteering(loaded, edits, request, job, emit)),
      ) as never
    },
  )
}

type Body = (job: Job, emit: (event: SteerEvent) => void) => Promise<void>

/** Runs a job that writes events. Nothing waits for a slow reader: there are at most some hundred events. */
async function sendEvents(
  stream: SSEStreamingApi,
  queue: JobQueue,
  signal: AbortSignal,
  body: Body,
): Promise<void> {
  const left = new AbortController()
  const leave = (): void => left.abort()
  stream.onAbort(leave)
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  let sent: Promise<void> = Promise.resolve()
  const emit = (event: SteerEvent): void => {
    sent = sent.then(() => stream.writeSSE({ event: event.type, data: JSON.stringify(event) }))
  }
  const onQueued = (ahead: number): void => emit({ type: 'queued', ahead })
  try {
    await queue.run({ lane: 'write', signal: left.signal, onQueued }, (job) => body(job, emit))
  } catch (error) {
    emit({ type: 'error', ...failureBody(error) })
  } finally {
    signal.removeEventListener('abort', leave)
  }
  await sent
}
