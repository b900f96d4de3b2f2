import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseValidation } from '../../src/corpus/split.js'

const documents = Array.from({ length: 600 }, (_, i) => ({
  kind: i % 3 === 0 ? 'rare' : 'common',
  group: `g${i >> 1}`,
  bytes: 500 + ((i * 37) % 1000),
}))

test('every kind gives about the wanted share of its bytes', () => {
  const held = chooseValidation(documents, 0.1, 0)
  for (const kind of ['rare', 'common']) {
    const bytes = (only: boolean) =>
      documents
        .filter((document, i) => document.kind === kind && (held[i] || !only))
        .reduce((sum, document) => sum + document.bytes, 0)
    const share = bytes(true) / bytes(false)
    assert.ok(share > 0.08 && share < 0.12, `${kind}: ${share}`)
  }
})

test('documents of one group and kind stay together', () => {
  const held = chooseValidation(documents, 0.3, 1)
  const sides = new Map<string, boolean>()
  documents.forEach(({ kind, group }, i) => {
    const key = `${kind} ${group}`
    assert.equal(sides.get(key) ?? held[i], held[i])
    sides.set(key, held[i] as boolean)
  })
})

test('a kind with two groups has one on either side, a kind with one trains', () => {
  const few = [
    { kind: 'a', group: '1', bytes: 10 },
    { kind: 'a', group: '2', bytes: 1000 },
    { kind: 'b', group: '3', bytes: 10 },
  ]
  for (let seed = 0; seed < 20; seed++) {
    const held = chooseValidation(few, 0.05, seed)
    assert.notEqual(held[0], held[1])
    assert.equal(held[2], false)
  }
})

test('the seed decides', () => {
  assert.deepEqual(chooseValidation(documents, 0.1, 3), chooseValidation(documents, 0.1, 3))
  assert.notDeepEqual(chooseValidation(documents, 0.1, 3), chooseValidation(documents, 0.1, 4))
})

test('a large file is not held out while small ones can make up the share', () => {
  const withLarge = [...documents, { kind: 'common', group: 'large', bytes: 20_000 }]
  for (let seed = 0; seed < 20; seed++)
    assert.equal(chooseValidation(withLarge, 0.1, seed)[withLarge.length - 1], false)
})
