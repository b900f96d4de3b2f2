import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFeatureSearch, type SearchDocument } from '../../../src/server/list/search-features.js'

const documents: SearchDocument[] = [
  { feature: 0, text: 'the token ‘ the’', tokens: [' the', 'The'] },
  { feature: 1, text: 'Hebrew letters and others', tokens: ['של', ' על'] },
  { feature: 2, text: 'punctuation, such as ‘).’', tokens: [').', '。', '"'] },
  { feature: 3, text: 'colours of flowers', tokens: [' red', ' 7', '⟨d8⟩'] },
  { feature: 4, text: '', tokens: [] },
  { feature: 5, text: '红色的花朵', tokens: ['红', 'สวัสดี', '  '] },
  { feature: 6, text: 'letters of the Greek alphabet, 7 of them', tokens: ['α', 'Ａ'] },
  { feature: 7, text: 'code', tokens: ['return', '↵'] },
]

const search = await createFeatureSearch(documents)

test('words are found by their beginning, in any case, and with a small mistake', () => {
  assert.deepEqual(search.search('HEBREW', 'explanation'), [1])
  assert.deepEqual(search.search('heb', 'all'), [1])
  assert.deepEqual(search.search('alphabt', 'explanation'), [6])
  assert.deepEqual(search.search('xyz', 'all'), [])
})

test('all words of a query must be there', () => {
  assert.deepEqual(search.search('letters greek', 'explanation'), [6])
  assert.deepEqual(search.search('letters red', 'all'), [])
  assert.deepEqual(search.search('colours red', 'all'), [3])
})

test('a token is found as a whole, with and without the blank before it, in any case and script', () => {
  for (const query of ['the', ' the', 'THE', ' The ']) assert.deepEqual(search.search(query, 'token'), [0])
  assert.deepEqual(search.search('th', 'token'), [])
  for (const query of ['על', ' על']) assert.deepEqual(search.search(query, 'token'), [1])
  for (const query of ['红', 'สวัสดี', '  ']) assert.deepEqual(search.search(query, 'token'), [5])
  assert.deepEqual(search.search('a', 'token'), [6])
})

test('tokens of punctuation, bytes and line ends can be found', () => {
  for (const query of [').', '。', '"']) assert.deepEqual(search.search(query, 'all'), [2])
  assert.deepEqual(search.search('⟨d8⟩', 'token'), [3])
  assert.deepEqual(search.search('↵', 'all'), [7])
})

test('tokens are not looked for among explanations, nor words among tokens', () => {
  assert.deepEqual(search.search('return', 'explanation'), [])
  assert.deepEqual(search.search('hebrew', 'token'), [])
  assert.deepEqual(search.search('"', 'explanation'), [])
})

test('words are found in scripts without blanks', () => {
  assert.deepEqual(search.search('花朵', 'explanation'), [5])
})

test('a number finds the feature that has it first, then what mentions it', () => {
  assert.deepEqual(search.search('4', 'all'), [4])
  assert.equal(search.search('#4', 'all')[0], 4)
  const found = search.search('7', 'all')
  assert.equal(found[0], 7)
  assert.deepEqual(found.slice(1).sort(), [3, 6])
  assert.deepEqual(search.search('8', 'all'), [])
})

test('a query of nothing finds nothing', () => {
  for (const query of ['', ' ', '\n']) assert.deepEqual(search.search(query, 'all'), [])
})

test('a changed label is found, and the old one is not', async () => {
  const own = await createFeatureSearch(documents)
  own.update({ feature: 1, text: 'words of praise', tokens: ['של'] })
  assert.deepEqual(own.search('praise', 'all'), [1])
  assert.deepEqual(own.search('hebrew', 'all'), [])
  assert.deepEqual(own.search('של', 'token'), [1])
  own.update({ feature: 1, text: 'something else', tokens: ['של'] })
  assert.deepEqual(own.search('praise', 'all'), [])
  assert.deepEqual(own.search('else', 'all'), [1])
})

test('equals are in the order of their numbers, also after a change', async () => {
  const many = Array.from({ length: 20 }, (_, feature) => ({ feature, text: 'same', tokens: ['x'] }))
  const own = await createFeatureSearch(many)
  own.update(many[3])
  assert.deepEqual(
    own.search('same', 'all'),
    many.map(({ feature }) => feature),
  )
})

test('an index is built without holding other work up: timers run in between', async () => {
  const many = Array.from({ length: 5000 }, (_, feature) => ({
    feature,
    text: `text ${feature}`,
    tokens: [],
  }))
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  await createFeatureSearch(many)
  clearInterval(timer)
  assert.ok(turns > 3, `${turns} turns`)
})
