import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLiteral } from '../../src/formats/python-literal.js'

test('literals are what Python reads them as', () => {
  assert.deepEqual(
    parseLiteral(`{'a': (1, 20L), "b" : [True, False, None,], 'c': {}, 'd': (), }  \n`),
    new Map<string, unknown>([
      ['a', [1, 20]],
      ['b', [true, false, null]],
      ['c', new Map()],
      ['d', []],
    ]),
  )
  assert.equal(parseLiteral("'it'"), 'it')
})

test('anything else is undefined', () => {
  const others = [
    '',
    '{',
    '}',
    "{'a'}",
    '{1: 2}',
    '(1 2)',
    '(,)',
    "'a",
    "'a\\'b'",
    '1 2',
    '-1',
    '1.5',
    'f()',
    'a',
    '(1))',
    '(1,',
  ]
  for (const text of [...others, "{'a': 1 'b': 2}", '('.repeat(5000), `${'['.repeat(20)}${']'.repeat(20)}`])
    assert.equal(parseLiteral(text), undefined, text.slice(0, 50))
})
