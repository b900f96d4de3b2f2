import assert from 'node:assert/strict'
import { test } from 'node:test'
import { displayWidth } from '../../src/terminal/display-width.js'
import { renderTextColumns, wrapToWidth } from '../../src/terminal/text-columns.js'

test('text is wrapped at blanks where it can be, and loses nothing but those blanks', () => {
  assert.deepEqual(wrapToWidth('the quick brown fox', 10), ['the quick', 'brown fox'])
  assert.deepEqual(wrapToWidth('abcdefghijkl mn', 5), ['abcde', 'fghij', 'kl mn'])
  assert.deepEqual(wrapToWidth('one\n\ntwo', 5), ['one', '', 'two'])
  assert.deepEqual(wrapToWidth('日本語日本語', 5), ['日本', '語日', '本語'])
  assert.deepEqual(wrapToWidth('', 5), [''])
  assert.deepEqual(wrapToWidth('日本', 1), ['日', '本'], 'a wide character in a narrow column is not lost')
})

test('columns stay in line whatever the script', () => {
  const text = renderTextColumns(
    [
      { heading: 'one', text: 'plain words and 日本語 and more of them, longer than a line' },
      { heading: 'two', text: 'السماء زرقاء اليوم والكتاب على الطاولة' },
    ],
    60,
  )
  const lines = text.split('\n')
  assert.ok(lines.length > 3)
  for (const line of lines.slice(2)) {
    const bar = line.indexOf('│')
    assert.equal(displayWidth(line.slice(0, bar)), 29, line)
    assert.ok(displayWidth(line) <= 60)
    if (/\p{Script=Arabic}/u.test(line)) assert.match(line, /^\u200e.*\u200e │ \u200e.*\u200e$/u)
  }
})
