import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderBars } from '../../src/terminal/bars.js'
import { cutToWidth, displayWidth, fitToWidth } from '../../src/terminal/display-width.js'
import { decimals, percent } from '../../src/terminal/figures.js'
import { renderTable } from '../../src/terminal/table.js'

test('columns line up, with wide and combining characters too', () => {
  const table = renderTable(
    [{ heading: 'a', align: 'left' }, { heading: 'b' }],
    [
      ['日本', '1'],
      ['é́x', '22'],
    ],
  )
  assert.equal(table, 'a      b\n────  ──\n日本   1\né́x    22')
})

test('a group is named once, in the middle of a rule over its columns', () => {
  const columns = [
    { heading: 'name', align: 'left' as const },
    { heading: 'one', group: 'left hand' },
    { heading: 'two', group: 'left hand' },
    { heading: 'three', group: 'r' },
  ]
  assert.deepEqual(renderTable(columns, [['x', '1', '12345', '3']]).split('\n'), [
    '      left hand   ─ r ─',
    'name  one    two  three',
    '────  ───  ─────  ─────',
    'x       1  12345      3',
  ])
})

test('a table without headings has no rule, and short rows are filled up', () => {
  assert.equal(renderTable([{ heading: '', align: 'left' }, { heading: '' }], [['a'], ['b', '1']]), 'a\nb  1')
})

test('what is not there is a dash', () => {
  assert.deepEqual(
    [percent(null), percent(0.8765), decimals(null, 2), decimals(1, 2)],
    ['–', '87.6%', '–', '1.00'],
  )
})

test('widths count combining marks as nothing and wide characters as two columns', () => {
  assert.equal(displayWidth('abc'), 3)
  assert.equal(displayWidth('שָׁלוֹם'), 4)
  assert.equal(displayWidth('日本'), 4)
  assert.equal(cutToWidth('日本語', 5), '日本')
  assert.equal(cutToWidth('abcdef', 3, 'end'), 'def')
  assert.equal(fitToWidth('abcdef', 4), 'abc…')
  assert.equal(fitToWidth('ab', 4, 'right'), '  ab')
})

test('bars: the largest count fills the height, one is the thinnest bar, none is blank', () => {
  assert.deepEqual(renderBars([0, 1, 1000, 40], 2), ['  █▁', ' ▂██'])
})
