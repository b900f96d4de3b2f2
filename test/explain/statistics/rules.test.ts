import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UnitStatistics } from '../../../src/explain/collect-evidence.js'
import type { Example } from '../../../src/explain/evidence.js'
import { describeRules } from '../../../src/explain/statistics/describe-rules.js'
import { readClues, weighClues } from '../../../src/explain/statistics/predictor.js'
import { findRules, type ShortenedExample } from '../../../src/explain/statistics/rules.js'
import { classOfToken, contextClasses, tokenClasses } from '../../../src/explain/statistics/text-classes.js'
import type { TokenStatistics } from '../../../src/features/feature-store.js'

/** A vocabulary of readable pieces; token 0 is <|endoftext|>. */
const pieces = ['', ' the', ' of', ' cat', ' dog', 'سل', 'ام', 'كت', '7', '42', '.', ' in']
const tokenBytes = (token: number): Uint8Array => new TextEncoder().encode(pieces[token])
const classOf = Uint8Array.from(pieces, (_, token) => classOfToken(tokenBytes(token)))
const vocabulary = { tokenBytes, classOf }
const words = { tokenText: (token: number) => pieces[token] || '<|endoftext|>', classOf }
const id = (piece: string): number => pieces.indexOf(piece)
const contextId = (name: string): number => contextClasses.findIndex((one) => one.name === name)

interface Row {
  active: number
  of: number
  mean?: number
}

/** Statistics of 10,000 positions, every token 100 times where nothing else is said. */
function statistics(tables: {
  on: Record<string, Row>
  after?: Record<string, Row>
  within?: Record<string, Row>
}): UnitStatistics {
  const fires = Object.values(tables.on).reduce((sum, { active }) => sum + active, 0)
  const rows = (table: Record<string, Row>, number: (name: string) => number): TokenStatistics[] =>
    Object.entries(table)
      .map(([name, { active, of, mean = 2 }]) => ({
        token: number(name),
        active,
        occurrences: of,
        activationSum: mean * active,
        lift: active / of / (fires / 10_000),
      }))
      .sort((a, b) => b.activationSum - a.activationSum)
  return {
    positions: 10_000,
    fires,
    on: rows(tables.on, id),
    after: rows(tables.after ?? {}, id),
    within: rows(tables.within ?? {}, contextId),
    occurrences: pieces.map((piece) => tables.on[piece]?.of ?? 100),
  }
}

const plain = { previous: 0, context: 0, threshold: 0.1 }

test('a token rule predicts its mean activation times its probability, and nothing on other tokens', () => {
  const rules = findRules(statistics({ on: { ' cat': { active: 90, of: 98, mean: 3 } } }), classOf)
  const predicted = weighClues(readClues(rules, [id(' the'), id(' cat'), id(' dog')], vocabulary), plain)
  // (90 + 2 * 0.009) / (98 + 2)
  assert.deepEqual([predicted[0], predicted[2]], [0, 0])
  assert.ok(Math.abs(predicted[1] - 3 * 0.90018) < 1e-9)
  assert.equal(describeRules(rules, words), 'the token ‘ cat’')
})

test('a script that is mostly active becomes a rule that also covers tokens without a rate of their own', () => {
  const on = { سل: { active: 95, of: 100 }, ام: { active: 90, of: 100 }, كت: { active: 85, of: 100 } }
  const rules = findRules(statistics({ on }), classOf, { maxTokens: 1 })
  assert.equal(describeRules(rules, words), 'Arabic script')
  const predicted = weighClues(readClues(rules, [id('كت'), id(' cat')], vocabulary), plain)
  assert.ok(predicted[0] > 1)
  assert.equal(predicted[1], 0)
})

test('what stands before a token moves its probability, by as much as the weight says', () => {
  const after = { ' of': { active: 80, of: 200 }, ' in': { active: 2, of: 3000 } }
  const rules = findRules(statistics({ on: { ' the': { active: 100, of: 300 } }, after }), classOf)
  const predict = (before: string, previous: number): number =>
    weighClues(readClues(rules, [id(before), id(' the')], vocabulary), { ...plain, previous })[1]
  assert.equal(predict(' of', 0), predict(' in', 0))
  assert.ok(predict(' of', 1) > predict(' of', 0.5) && predict(' of', 0.5) > predict(' of', 0))
  assert.equal(predict(' in', 1), 0)
  assert.equal(describeRules(rules, words), 'the token ‘ the’ after ‘ of’ (about 1 in 3 of them)')
})

test('broken characters of several scripts are named together, after the tokens that can be read', () => {
  const on = Object.fromEntries(
    [' the', ' cat', '7', 'سل', '.', ' in'].map((piece) => [piece, { active: 10, of: 20 }]),
  )
  const broken = {
    ...words,
    tokenText: (token: number) => (token === id('سل') || token === id('7') ? '⟨d8⟩' : pieces[token]),
    classOf: classOf.map((own, token) =>
      token === id('7') ? classOfToken(new TextEncoder().encode('ש')) : own,
    ),
  }
  assert.equal(
    describeRules(findRules(statistics({ on }), classOf), broken),
    '‘the’, ‘cat’, pieces of Hebrew and Arabic letters and others',
  )
})

test('a kind of text that most fires are in is named', () => {
  const within = { base64: { active: 90, of: 400 }, words: { active: 10, of: 6000 } }
  const on = { '7': { active: 50, of: 60 }, '42': { active: 50, of: 60 } }
  assert.equal(describeRules(findRules(statistics({ on, within }), classOf), words), 'digits in base64')
})

const strong = (tokens: string[], length: number | null): ShortenedExample => {
  const example: Example = {
    group: 'top',
    interval: null,
    split: 'train',
    document: 0,
    position: 1,
    tokenIndex: tokens.length - 1,
    tokens: tokens.map(id),
    activations: tokens.map((_, i) => (i === tokens.length - 1 ? 5 : 0)),
  }
  return { example, length }
}

test('a sequence that was seen to set the unit off predicts its activation, where all of it stands', () => {
  const table = statistics({ on: { ' dog': { active: 10, of: 500, mean: 5 } } })
  const rules = findRules(table, classOf, {}, [strong([' in', ' the', ' dog'], 3)])
  const predict = (...text: string[]): number =>
    weighClues(readClues(rules, text.map(id), vocabulary), plain).at(-1) as number
  assert.ok(Math.abs(predict(' in', ' the', ' dog') - 0.9 * 5) < 1e-9)
  assert.equal(predict(' of', ' the', ' dog'), 0)
  assert.equal(predict(' the', ' dog'), 0)
})

test('a token that is enough by itself is described without what happens to stand before it', () => {
  const after = { ' of': { active: 80, of: 200 } }
  const table = statistics({ on: { ' the': { active: 100, of: 110 } }, after })
  assert.match(describeRules(findRules(table, classOf), words), /after/)
  const enough = findRules(table, classOf, {}, [strong([' of', ' the'], 1)])
  assert.equal(enough.needsContext, false)
  assert.equal(describeRules(enough, words), 'the token ‘ the’')
})

test('classes of tokens: scripts, also from the first bytes of a letter; digits; spellings', () => {
  const name = (bytes: Uint8Array | string): string =>
    tokenClasses[classOfToken(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes)].name
  assert.equal(name('سلام'), 'Arabic script')
  assert.equal(name(Uint8Array.of(0xe0, 0xb8)), 'Thai script')
  assert.equal(name(Uint8Array.of(0xe1)), 'incomplete characters')
  assert.equal(name(Uint8Array.of(0x8d)), 'incomplete characters')
  assert.equal(name(' 2024'), 'digits')
  assert.equal(name(' The'), 'capitalised words')
  assert.equal(name('\n    '), 'line breaks and indentation')
  assert.equal(name('guK'), 'pieces with capitals inside')
})
