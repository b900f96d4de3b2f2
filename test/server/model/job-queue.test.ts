import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import { createJobQueue, type Job } from '../../../src/server/model/job-queue.js'
import { gate } from '../gate.js'

const never = new AbortController().signal

/** A job that is under way until it is told to end. */
function held(): { body: (job: Job) => Promise<void>; started: Promise<Job>; end: () => void } {
  const started = gate<Job>()
  const ended = gate()
  return {
    body: (job) => {
      started.resolve(job)
      return ended.promise
    },
    started: started.promise,
    end: ended.resolve,
  }
}

const is = (code: string) => (error: unknown) => error instanceof MonosemError && error.code === code

test('a text goes between two steps of writing, and a measurement waits for both', async () => {
  const queue = createJobQueue()
  const log: string[] = []
  const steps = (lane: 'write' | 'measure', count: number) =>
    queue.run({ lane, signal: never }, async ({ pause }) => {
      for (let i = 0; i < count; i++) {
        log.push(`${lane} ${i}`)
        await setImmediate()
        await pause()
      }
    })
  const writing = steps('write', 3)
  const measuring = steps('measure', 1)
  const text = queue.run({ lane: 'text', signal: never }, async () => log.push('text'))
  await Promise.all([writing, measuring, text])
  assert.deepEqual(log.slice(0, 2), ['write 0', 'text'])
  assert.deepEqual(log.filter((line) => line !== 'text').sort(), [
    'measure 0',
    'write 0',
    'write 1',
    'write 2',
  ])
})

test('only one job computes at a time', async () => {
  const queue = createJobQueue()
  let computing = 0
  const job = (lane: 'text' | 'write' | 'measure') =>
    queue.run({ lane, signal: never }, async ({ pause }) => {
      for (let i = 0; i < 4; i++) {
        assert.equal(++computing, 1)
        await setImmediate()
        computing--
        await pause()
      }
    })
  await Promise.all([job('write'), job('text'), job('measure'), job('write'), job('text')])
})

test('jobs hear how many come before them', async () => {
  const queue = createJobQueue()
  const first = held()
  const running = queue.run({ lane: 'write', signal: never }, first.body)
  const heard: Record<string, number[]> = { a: [], b: [] }
  const leaving = new AbortController()
  const wait = (name: string, signal: AbortSignal) =>
    queue.run({ lane: 'write', signal, onQueued: (ahead) => heard[name].push(ahead) }, async () => name)
  const a = wait('a', leaving.signal)
  const b = wait('b', never)
  leaving.abort()
  await assert.rejects(a, is('interrupted'))
  first.end()
  await running
  assert.equal(await b, 'b')
  assert.deepEqual(heard, { a: [1], b: [2, 1] })
})

test('too many waiting jobs are refused, and their places are free again once they leave', async () => {
  const queue = createJobQueue({ mostWaiting: 1 })
  const first = held()
  const running = queue.run({ lane: 'write', signal: never }, first.body)
  const leaving = new AbortController()
  const waiting = queue.run({ lane: 'write', signal: leaving.signal }, async () => {})
  assert.equal(queue.waiting, 1)
  assert.throws(() => queue.requireRoom('write'), is('busy'))
  await assert.rejects(
    queue.run({ lane: 'write', signal: never }, async () => {}),
    is('busy'),
  )
  leaving.abort()
  await assert.rejects(waiting, is('interrupted'))
  assert.equal(queue.waiting, 0)
  const next = queue.run({ lane: 'write', signal: never }, async () => 'ran')
  first.end()
  await running
  assert.equal(await next, 'ran')
})

test('a running job keeps its turn until it has ended, also when it is stopped', async () => {
  const queue = createJobQueue()
  const leaving = new AbortController()
  const first = held()
  const running = queue.run({ lane: 'write', signal: leaving.signal }, first.body)
  const { signal } = await first.started
  let ran = false
  const next = queue.run({ lane: 'text', signal: never }, async () => {
    ran = true
  })
  leaving.abort()
  assert.ok(signal.aborted && is('interrupted')(signal.reason))
  await setImmediate()
  assert.equal(ran, false, 'the first may still use its tensors')
  first.end()
  await Promise.all([running, next])
})

test('a job that takes too long is stopped at its next pause, with a reason that says so', async () => {
  const queue = createJobQueue({ seconds: { write: 0.01 } })
  const endless = queue.run({ lane: 'write', signal: never }, async ({ pause }) => {
    for (;;) {
      await setImmediate()
      await pause()
    }
  })
  await assert.rejects(endless, /stopped after 0.01 seconds/)
  assert.equal(await queue.run({ lane: 'write', signal: never }, async () => 'next'), 'next')
})
