import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  classOfContext,
  contextClasses,
  contextClassesOf,
} from '../../../src/explain/statistics/text-classes.js'

const kind = (text: string): string => contextClasses[classOfContext(text)].name

test('the kind of text is told from what leads up to a place', () => {
  const expected: [string, string][] = [
    ['GATTACAGATT', 'DNA'],
    ['IuPwbwWcV3VQYAe/Ib', 'base64'],
    ['commit ce4591cf4a4b', 'hexadecimal'],
    ['12/04/20', 'dates and times'],
    ['about 42', 'numbers'],
    ['MAX_VALUE', 'upper-case names'],
    ['camelCase', 'camelCase names'],
    ['end.\n    ', 'the beginnings of lines'],
    ['مرحبا ', 'Arabic script'],
    ['hello wor', 'words'],
  ]
  for (const [text, name] of expected) assert.equal(kind(text), name, text)
})

test('plain words, constants and numbers are no code', () => {
  for (const text of ['CATALOGUE', 'deadbeef', 'information', '1234567', 'ACGT'])
    assert.ok(!['DNA', 'base64'].includes(kind(text)), text)
  assert.notEqual(kind('deadbeef'), 'hexadecimal')
})

test('a place looks back a few tokens only, over characters that are cut in two', () => {
  const bytes = [...new TextEncoder().encode('й7')]
  const tokenBytes = (token: number) => Uint8Array.of(token)
  const kinds = contextClassesOf([...bytes, 65, 66, 67, 68, 69, 70], tokenBytes)
  assert.equal(contextClasses[kinds[1]].name, 'Cyrillic script')
  assert.notEqual(contextClasses[kinds[8]].name, 'Cyrillic script')
})
