import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createWriteQueue } from '../../src/activations/write-queue.js'

/** A job that ends when it is told to. */
function held(): { job: () => Promise<void>; end: () => void } {
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  return { job: () => ended, end }
}

test('push goes on until too many jobs are unfinished, and jobs run one after the other', async () => {
  const queue = createWriteQueue(2)
  const done: string[] = []
  const [first, second] = [held(), held()]
  await queue.push(() => first.job().then(() => void done.push('first')))
  await queue.push(() => second.job().then(() => void done.push('second')))
  let pushed = false
  const third = queue
    .push(async () => void done.push('third'))
    .then(() => {
      pushed = true
    })
  second.end()
  await setImmediate()
  assert.deepEqual([pushed, done], [false, []], 'the second job waits for the first')
  first.end()
  await third
  await queue.drain()
  assert.deepEqual(done, ['first', 'second', 'third'])
})

test('after a job that failed no other runs, and whoever waits learns of it', async () => {
  const queue = createWriteQueue(1)
  let ran = false
  await queue.push(() => Promise.reject(new Error('no disk')))
  await assert.rejects(
    queue.push(async () => {
      ran = true
    }),
    /no disk/,
  )
  await assert.rejects(queue.drain(), /no disk/)
  assert.equal(ran, false)
})
