import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExampleEffect } from '../../src/features/ablation-stage.js'
import {
  changedTokens,
  effectOf,
  effectText,
  explanationPanel,
  neighbourPanel,
} from '../../src/features/render-findings.js'
import { shadeInContext } from '../../src/features/shading.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'

const options = { tokenizer: { ...pieceTokenizer([]), tokenText: String }, color: false, width: 60 }
const effect = (over: Partial<ExampleEffect>): ExampleEffect => ({
  ...{ feature: 7, interval: null, rank: 0, document: 1, position: 2, effect: -1, total: -1, removed: 1 },
  effects: [],
  ...over,
})

test('the tokens marked are those after the largest effects, whatever their sign; small effects mark none', () => {
  assert.deepEqual([...changedTokens({ effects: [0, -2, 1.1, 0.9, null] })], [2, 3])
  assert.deepEqual([...changedTokens({ effects: [0.01, -0.04, null] })], [])
  assert.deepEqual([...changedTokens({ effects: [] })], [])
})

test('an effect belongs to the example with its interval and rank', () => {
  const effects = [effect({}), effect({ interval: 0, total: 5 }), effect({ rank: 1, total: 6 })]
  assert.equal(effectOf({ effects }, { interval: 0, rank: 0 })?.total, 5)
  assert.equal(effectOf({ effects }, { interval: null, rank: 1 })?.total, 6)
  assert.equal(effectOf({ effects }, { interval: 1, rank: 0 }), undefined)
  assert.match(effectText({ effects }, options)[0], /: \+3\.33 nats of log-likelihood \(mean of 3\)$/)
})

test('an explanation has its source beside it, or below where it does not fit', () => {
  const short = { text: 'digits', source: 'by hand' }
  const long = { text: 'x'.repeat(80), source: `by statistics; ${'spearman 0.91, '.repeat(5)}` }
  const [first, second, third, ...others] = explanationPanel({ explanations: [short, long] }, options)
  assert.equal(first, 'digits  by hand')
  assert.match(second, /^x+/)
  assert.match(third, /^ {2}by statistics; spearman 0\.91/)
  assert.deepEqual(others, [])
  for (const line of [second, third]) assert.ok(displayWidth(line) <= 60)
})

test('neighbours are shown with cosine and explanation, and nothing where there is no map', () => {
  const place = {
    cluster: 3,
    neighbours: [
      { feature: 12, cosine: 0.5 },
      { feature: 4, cosine: -0.25 },
    ],
  }
  const lines = neighbourPanel({ place, names: new Map([[4, 'Arabic script']]) }, options)
  assert.match(lines[0], /cluster 3 of the map/)
  assert.match(lines[1], /^ +12 +\+0\.50 *$/)
  assert.match(lines[2], /^ +4 +−0\.25 {2}Arabic script *$/)
  assert.deepEqual(neighbourPanel({}, options), [])
  assert.deepEqual(neighbourPanel({ place: { cluster: null, neighbours: [] } }, options), [])
})

test('where tokens are underlined, the one that the example is about is bold', () => {
  const segments = ['a', 'b', 'c'].map((text, i) => ({ text, activation: 0, first: i, end: i + 1 }))
  const line = (underlined?: Set<number>) =>
    shadeInContext(segments, 1, { left: 1, right: 2 }, { color: true, max: 1, underlined })
  assert.equal(line(), 'a\x1b[1;4mb\x1b[0mc')
  assert.equal(line(new Set([2])), 'a\x1b[1mb\x1b[0m\x1b[4mc\x1b[0m')
  assert.equal(line(new Set([1])), 'a\x1b[1;4mb\x1b[0mc')
})
