import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printable } from '../../src/terminal/printable.js'

test('escape sequences do not survive, text and line breaks do', () => {
  assert.equal(printable('a\x1b[31mb\tc\nd\x9b'), 'a\ufffd[31mb\tc\nd\ufffd')
  assert.equal(printable('السماء 天 é'), 'السماء 天 é')
})
