import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLru } from '../../src/server/lru.js'

test('what was not asked for longest goes first', () => {
  const kept = createLru<number, string>(2)
  kept.set(1, 'a')
  kept.set(2, 'b')
  assert.equal(kept.get(1), 'a')
  kept.set(3, 'c')
  assert.equal(kept.get(2), undefined)
  assert.equal(kept.get(1), 'a')
  assert.equal(kept.get(3), 'c')
})

test('sizes add up to no more than the capacity, also when a value is replaced or is too large', () => {
  const kept = createLru<string, string>(10, (text) => text.length)
  kept.set('a', '12345')
  kept.set('b', '123')
  kept.set('a', '1234567')
  assert.deepEqual([kept.get('a'), kept.get('b')], ['1234567', '123'])
  kept.delete('a')
  kept.set('c', '1234567')
  assert.deepEqual([kept.get('b'), kept.get('c')], ['123', '1234567'])
  kept.set('d', 'x'.repeat(11))
  assert.deepEqual([kept.get('b'), kept.get('c'), kept.get('d')], [undefined, undefined, undefined])
  kept.clear()
  kept.set('e', '1234567890')
  assert.equal(kept.get('e'), '1234567890')
})
