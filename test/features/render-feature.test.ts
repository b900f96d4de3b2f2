import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readableBytes } from '../../src/corpus/tokenizer.js'
import type { FeatureDetail, FeatureExample } from '../../src/features/feature-store.js'
import { renderFeature, renderFeatureList } from '../../src/features/render-feature.js'
import { segmentsOf } from '../../src/features/segments.js'
import { shade, shadeInContext } from '../../src/features/shading.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'

const text = (s: string) => Array.from(Buffer.from(s))
// 1 the, 2 cat, 3 sat, 4 first byte of ع, 5 its second byte and a blank, 6 a lonely byte, 7 newline
const pieces = [text('the'), text(' cat'), text(' sat'), [0xd8], [0xb9, 0x20], [0xff], text('\n')]
const { tokenBytes, ...others } = pieceTokenizer(pieces)
const tokenizer = { ...others, tokenBytes, tokenText: (id: number) => readableBytes(tokenBytes(id)) }
const plain = { tokenizer, color: false }
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is to be removed
const withoutColour = (s: string) => s.replace(/\x1b\[[\d;]*m/g, '')

const example = (over: Partial<FeatureExample> = {}): FeatureExample => ({
  interval: null,
  rank: 0,
  activation: 0.8,
  document: 12,
  position: 34,
  tokenIndex: 1,
  tokens: [1, 2, 3],
  activations: [0, 0.8, 0.2],
  ...over,
})

const detail: FeatureDetail = {
  feature: 7,
  fires: 420,
  density: 0.0042,
  max: 0.8,
  mean: 0.31,
  singleToken: false,
  histogram: { range: 1, counts: Array.from({ length: 64 }, (_, i) => (i < 52 ? 100 - i : 0)) },
  quantiles: [],
  tokens: [],
  tokensMissed: 0,
  coActive: [],
  coActiveMissed: 0,
  alignedNeurons: [],
  correlatedNeurons: [],
  logitStatistics: null,
  logitHistogram: null,
  topLogits: [{ token: 2, weight: 1.5 }],
  bottomLogits: [{ token: 3, weight: -0.75 }],
  top: [example(), example({ tokens: Array(40).fill(2), activations: Array(40).fill(0.1), tokenIndex: 20 })],
  intervals: [example({ interval: 10, activation: 0.79 }), example({ interval: 0, activation: 0.05 })],
}

test('tokens that share a character are shown as one, stray bytes by number', () => {
  const segments = segmentsOf([1, 4, 5, 6, 2], [0, 0.5, 0.75, 0, 1], tokenizer)
  assert.deepEqual(
    segments.map(({ text, activation, first, end }) => [text, activation, first, end]),
    [
      ['the', 0, 0, 1],
      ['ع ', 0.75, 1, 3],
      ['⟨ff⟩', 0, 3, 4],
      [' cat', 1, 4, 5],
    ],
  )
})

test('without colour active tokens are marked with their activation, inactive ones stay as they are', () => {
  assert.equal(shade('cat', 0.834, { color: false, max: 1 }), '«cat|0.83»')
  assert.equal(shade('cat', 0, { color: false, max: 1 }), 'cat')
})

test('with colour the background grows with the activation, and the focus is underlined', () => {
  const at = (activation: number) => shade('cat', activation, { color: true, max: 2 })
  assert.equal(at(0), 'cat')
  assert.match(at(0.01), /48;5;230mcat/)
  assert.match(at(2), /48;5;202mcat/)
  assert.match(shade('cat', 2, { color: true, max: 2 }, { bold: true, underline: true }), /\[1;4;/)
})

test('the focus of every example starts in the same column, and nothing is wider than asked for', () => {
  const words = Array.from({ length: 30 }, (_, i) => ` w${i}`)
  for (const color of [true, false])
    for (const focus of [0, 3, 15, 29]) {
      const segments = words.map((text, i) => ({ text, activation: i % 3, first: i, end: i + 1 }))
      const line = withoutColour(shadeInContext(segments, focus, { left: 30, right: 20 }, { color, max: 2 }))
      assert.ok(displayWidth(line) <= 50, `${displayWidth(line)}`)
      const mark = !color && focus % 3 > 0 ? '« w' : ' w'
      assert.equal(line.slice(30, 30 + mark.length + String(focus).length), `${mark}${focus}`)
    }
})

test('a feature is shown with figures, logits and examples, within the width', () => {
  const shown = renderFeature(detail, { ...plain, hookName: 'blocks.0.mlp.hook_post', intervals: 11 })
  for (const line of shown.split('\n')) assert.ok(displayWidth(line) <= 100, line)
  assert.match(shown, /^feature 7 +blocks\.0\.mlp\.hook_post$/m)
  assert.match(
    shown,
    /fires on 0\.42% of tokens \(1 in 238; 420 in all\) · max 0\.8 · mean 0\.31 when active/,
  )
  assert.match(shown, /␣cat +\+1\.50 .*␣sat +−0\.75/)
  assert.match(shown, /0\.8 +the« cat\|0\.8»« sat\|0\.2» +12:34/)
  assert.match(shown, /random examples with activation 0\.73 to 0\.8/)
  assert.match(shown, /random examples with activation 0 to 0\.073/)
})

test('colour changes how a feature looks, not how it is laid out', () => {
  const shown = renderFeature(detail, { ...plain, color: true })
  assert.match(shown, /48;5;202m cat/)
  for (const line of withoutColour(shown).split('\n')) assert.ok(displayWidth(line) <= 100, line)
})

test('a feature that never fired says so', () => {
  const dead = { ...detail, fires: 0, density: 0, max: 0, mean: null, top: [], intervals: [] }
  const shown = renderFeature(dead, plain)
  assert.match(shown, /never fired/)
  assert.doesNotMatch(shown, /examples|activations/)
})

test('limits restrict the examples of each group', () => {
  const shown = renderFeature(detail, plain, { top: 1, perInterval: 0 })
  assert.equal(shown.split('12:34').length - 1, 1)
})

test('a list shows a feature a line, dead ones too', () => {
  const { feature, fires, density, max, mean } = detail
  const rows = [
    { feature, fires, density, max, mean, singleToken: true, topTokens: [2, 3], topExample: example() },
    {
      feature: 8,
      fires: 0,
      density: 0,
      max: 0,
      mean: null,
      singleToken: false,
      topTokens: [],
      topExample: null,
    },
  ]
  const lines = renderFeatureList(rows, plain).split('\n')
  assert.equal(lines.length, 3)
  assert.match(lines[1], /^ +7 +0\.42% +0\.8 +0\.31 {2}␣cat ␣sat +the« cat\|0\.8»/)
  assert.match(lines[2], /^ +8 +0% +0 +– +never fired$/)
  for (const line of lines) assert.ok(displayWidth(line) <= 100)
})

test('the page shows tokens, features, neurons and logit weights, each line within the width', () => {
  const full: FeatureDetail = {
    ...detail,
    singleToken: true,
    quantiles: [{ probability: 0.5, activation: 0.25 }],
    tokens: [{ token: 2, active: 415, occurrences: 830, activationSum: 128, lift: 119 }],
    coActive: [{ feature: 31, count: 1200, jaccard: 0.256, pearson: 0.5, cosine: 0.6 }],
    alignedNeurons: [{ neuron: 9, value: -0.5, l1: 0.125 }],
    correlatedNeurons: [{ neuron: 12, pearson: 0.75, cosine: 0.8 }],
    logitStatistics: { mean: 0, standardDeviation: 0.5, skewness: -1.5, kurtosis: 4 },
    logitHistogram: { low: -2, high: 3, counts: Array.from({ length: 64 }, (_, i) => i) },
  }
  for (const color of [false, true]) {
    const shown = withoutColour(renderFeature(full, { tokenizer, color }))
    assert.match(shown, /50% ≤ 0\.25/)
    assert.match(shown, /fires on one token .*\n +␣cat +50% of 830 +×120 .* 31 +1,200 +0\.26 +0\.50/)
    assert.match(shown, / 9 +−0\.50 +13% +12 +\+0\.75 +\+0\.80/)
    assert.match(shown, /standard deviation 0\.5, skewness −1\.50, kurtosis 4/)
    assert.match(shown, /−2\.00 +\+3\.00/)
    for (const line of shown.split('\n')) assert.ok(displayWidth(line) <= 100, line)
  }
  const brief = renderFeature(full, plain, { top: 1, perInterval: 0 })
  assert.doesNotMatch(brief, /writes to|kurtosis/)
})

test('findings join the page: explanations at the top, neighbours, and an effect beside each measured example', () => {
  const effects = [-0.5, 0.25].map((total, i) => ({
    ...{ feature: 7, interval: i === 0 ? null : 10, rank: 0, document: 12, position: 34 },
    ...{ effect: total, total, removed: 1, effects: [0, total, null] },
  }))
  const findings = {
    explanations: [{ text: 'pets', source: 'by hand' }],
    place: { cluster: 2, neighbours: [{ feature: 31, cosine: 0.75 }] },
    names: new Map([[31, 'dogs']]),
    effects,
  }
  const once = { ...detail, top: [example(), example({ rank: 1 })] }
  const shown = renderFeature(once, plain, undefined, findings)
  assert.match(shown, /^feature 7\npets {2}by hand\nfires on/)
  assert.match(shown, /31 +\+0\.75 {2}dogs/)
  assert.match(shown, /effect of its absence .* −0\.13 nats .*\(mean of 2\)\n/)
  assert.match(shown, /^ +0\.8 +−0\.50 +the« cat\|0\.8»/m)
  assert.match(shown, /^ +0\.8 {3,}the« cat\|0\.8»/m)
  assert.match(shown, /^ +0\.79 +\+0\.25 /m)
  const coloured = renderFeature(once, { ...plain, color: true }, undefined, findings)
  // the effect at « cat» is about what comes next
  assert.match(coloured, /\[4;38[^m]*m sat/)
  for (const line of withoutColour(coloured).split('\n')) assert.ok(displayWidth(line) <= 100, line)
})

test('explanations are a column of the list where there are any', () => {
  const { feature, fires, density, max, mean } = detail
  const row = {
    feature,
    fires,
    density,
    max,
    mean,
    singleToken: true,
    topTokens: [2, 3],
    topExample: example(),
  }
  const other = { ...row, feature: 8 }
  const lines = renderFeatureList([row, other], plain, new Map([[7, 'pets']])).split('\n')
  assert.match(lines[0], /mean {2}explanation +strongest/)
  assert.match(lines[1], /0\.31 {2}pets +the« cat/)
  assert.match(lines[2], /0\.31 {2}raises ␣cat ␣sat +the« cat/)
  for (const line of lines) assert.ok(displayWidth(line) <= 100)
  assert.doesNotMatch(renderFeatureList([row], plain, new Map([[8, 'pets']])), /explanation/)
})
