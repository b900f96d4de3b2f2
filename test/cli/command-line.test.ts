import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommanderError } from 'commander'
import { commandLine, quoteWord } from '../../src/cli/command-line.js'
import { describeError, exitCodeOf } from '../../src/cli/report-error.js'
import { MonosemError } from '../../src/errors/monosem-error.js'

test('a word is quoted only where a shell would read it otherwise', () => {
  assert.equal(quoteWord('--out=runs/a'), '--out=runs/a')
  assert.equal(quoteWord('notes/**/*.md'), "'notes/**/*.md'")
  assert.equal(quoteWord("it's"), "'it'\\''s'")
  assert.equal(quoteWord(''), "''")
})

test('the command to type again is the one that was typed, also through npm', () => {
  assert.equal(commandLine(['demo', '--text', '*.md'], {}), "monosem demo --text '*.md'")
  assert.equal(commandLine(['demo'], { npm_lifecycle_event: 'demo' }), 'npm run demo')
  assert.equal(commandLine(['demo', '--quick'], { npm_lifecycle_event: 'demo' }), 'npm run demo -- --quick')
  assert.equal(commandLine(['eval', '--run', 'a'], { npm_lifecycle_event: 'test' }), 'monosem eval --run a')
})

const options = { json: false, debug: false, commandLine: 'monosem demo' }
const error = new MonosemError('missing', 'notes/*.md: no file matches', {
  hint: 'check the glob',
  cause: new Error('inner'),
})

test('an error is its message and hint, without a stack', () => {
  assert.equal(describeError(error, options), 'error: notes/*.md: no file matches\n  hint: check the glob\n')
})

test('--debug adds the stacks of the error and its cause', () => {
  const text = describeError(error, { ...options, debug: true })
  assert.match(text, /\n\s+at .*command-line\.test/)
  assert.match(text, /caused by Error: inner/)
})

test('--json reports an error as one JSON object', () => {
  const text = describeError(error, { ...options, json: true })
  assert.deepEqual(JSON.parse(text), {
    error: { code: 'missing', message: 'notes/*.md: no file matches', hint: 'check the glob' },
  })
})

test('a stop by the user says how to go on', () => {
  const stop = new MonosemError('interrupted', 'stopped before the end')
  assert.equal(
    describeError(stop, options),
    'stopped before the end\n  to go on from the last finished stage or checkpoint: monosem demo\n',
  )
})

test('an error that is not ours asks for a report', () => {
  assert.match(
    describeError(new TypeError('x is undefined'), options),
    /^error: x is undefined\n {2}hint: .*bug.*--debug/,
  )
  assert.match(describeError('text', { ...options, json: true }), /"code":"internal"/)
})

test('exit codes: 2 for options that make no sense, 0 for help, 1 for the rest', () => {
  assert.equal(exitCodeOf(new MonosemError('config', '')), 2)
  assert.equal(exitCodeOf(new CommanderError(1, 'commander.unknownOption', '')), 2)
  assert.equal(exitCodeOf(new CommanderError(0, 'commander.helpDisplayed', '')), 0)
  assert.equal(exitCodeOf(error), 1)
  assert.equal(exitCodeOf(new TypeError('x')), 1)
})
