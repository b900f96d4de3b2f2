import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentProgress, throwIfInterrupted } from '../../src/progress/progress.js'
import { describeTask, formatNumber, formatSeconds } from '../../src/progress/rate.js'
import { type TerminalProgress, terminalProgress } from '../../src/progress/terminal-progress.js'

/** Progress that writes into a string, with a clock that the test moves. */
function recorded(isTTY: boolean, columns?: number) {
  const out = { text: '', now: 0 }
  const stream = {
    isTTY,
    columns,
    write: (text: string) => {
      out.text += text
    },
  }
  const progress: TerminalProgress = terminalProgress({ stream, clock: () => out.now })
  return { out, progress }
}

test('without a terminal there are plain lines, at most one every five seconds, and one at the end', () => {
  const { out, progress } = recorded(false)
  const task = progress.start('sae train', 1000, 'steps')
  for (let step = 0; step <= 1000; step += 10) {
    task.update(step, { loss: 0.12345 })
    out.now += 100
  }
  task.end('L0 12')
  assert.equal(
    out.text,
    'sae train: 500/1,000 steps, 100 steps/s, 5.0 s left, loss 0.123\n' +
      'sae train: 1,000/1,000 steps, 100 steps/s, loss 0.123\n' +
      'sae train: L0 12, 10 s\n',
  )
})

test('what was done before a resume does not count for the rate', () => {
  const { out, progress } = recorded(false)
  const task = progress.start('model train', 1000, 'steps')
  task.update(900)
  out.now = 5000
  task.update(950)
  assert.match(out.text, /950\/1,000 steps, 10 steps\/s, 5.0 s left/)
})

test('on a terminal one line is rewritten, at most ten times a second, and fits the width', () => {
  const { out, progress } = recorded(true, 40)
  const task = progress.start('corpus', 100, 'documents')
  for (let i = 0; i <= 100; i++) {
    task.update(i)
    out.now += 10
  }
  task.end()
  const frames = out.text.split('\r\x1b[K').slice(1)
  assert.equal(frames.length, 12)
  assert.match(frames[5]!, /corpus █████████+░+ /)
  for (const frame of frames.slice(0, -1)) assert.ok(frame.length < 40 && !frame.includes('\n'), frame)
  assert.equal(frames.at(-1), 'corpus: 1.0 s\n')
})

test('a note goes above the bar', () => {
  const { out, progress } = recorded(true)
  progress.note('kernels: reference')
  progress.start('corpus', 2, 'files').update(1)
  progress.note('a.md: 3 lines skipped')
  const rewrite = '\r\x1b[K'
  assert.deepEqual(
    out.text.split(rewrite).map((part) => part.replace(/█+░+/, 'BAR')),
    ['kernels: reference\n', 'corpus BAR 1/2 files', 'a.md: 3 lines skipped\n'],
  )
})

test('close leaves the cursor on an empty line, once', () => {
  const { out, progress } = recorded(true)
  progress.start('corpus', 2, 'files').update(1)
  progress.close()
  progress.close()
  assert.match(out.text, /1\/2 files\n$/)
})

test('a task of size 0 and a task that never updates can be shown', () => {
  const { out, progress } = recorded(true)
  const task = progress.start('empty', 0, 'files')
  task.update(0)
  task.end('nothing to do')
  assert.match(out.text, /empty: nothing to do, 0\.0 s\n$/)
})

test('numbers and seconds are written as people read them', () => {
  assert.deepEqual([0, 12, 12800, 2.345678, 0.00012345, 98765.4, Number.NaN].map(formatNumber), [
    '0',
    '12',
    '12,800',
    '2.35',
    '0.000123',
    '98,765',
    'NaN',
  ])
  assert.deepEqual([0.04, 9.96, 59, 61, 3599, 3600, 7620].map(formatSeconds), [
    '0.0 s',
    '10.0 s',
    '59 s',
    '1 min 01 s',
    '59 min 59 s',
    '1 h 00 min',
    '2 h 07 min',
  ])
})

test('no rate and no time left are shown before there is one', () => {
  const task = { label: 'x', total: 10, unit: 'steps', done: 3, startedAt: 3, seconds: 0, figures: {} }
  assert.equal(describeTask(task), '3/10 steps')
})

test('throwIfInterrupted throws only after the abort, and the library reports nothing by default', () => {
  const controller = new AbortController()
  throwIfInterrupted(undefined)
  throwIfInterrupted(controller.signal)
  controller.abort()
  assert.throws(() => throwIfInterrupted(controller.signal), {
    code: 'interrupted',
    message: 'stopped before the end',
    hint: /same command again .* last finished stage or checkpoint/,
  })
  silentProgress.start('x', 1, 'steps').update(1)
})
