import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cropExample } from '../../../src/explain/crop.js'
import type { Example } from '../../../src/explain/evidence.js'
import { demonstrations } from '../../../src/explain/llm/demonstrations.js'
import { explainMessages } from '../../../src/explain/llm/explain-prompt.js'
import { shownExample } from '../../../src/explain/llm/shown-example.js'
import { readableTokens } from '../../../src/explain/llm/token-text.js'
import { explainCounts, predictCounts, protocolExamples } from '../../../src/explain/protocol-examples.js'
import { quantise } from '../../../src/explain/quantise.js'
import { readableTokenizer, toyEvidence, toyTokenizer } from './toy-evidence.js'

test('only an inactive token is 0; active ones are nine equal parts, and more than the maximum is 9', () => {
  const max = 1.8
  assert.deepEqual(
    [0, 1e-9, 0.2, 0.2001, 0.9, 1.7, 1.8, 5].map((activation) => quantise(activation, max)),
    [0, 1, 1, 2, 5, 9, 9, 9],
  )
  assert.equal(quantise(-1, max), 0)
  assert.equal(quantise(1, 0), 0)
})

test('a character spread over tokens is shown with each of them, and once in the text', () => {
  const bytes = [...Buffer.from('漢')]
  const tokenizer = readableTokenizer([[97], ...bytes.map((byte) => [byte]), [10], [0xff]])
  const context = [1, 2, 3, 4, 5, 6]
  assert.deepEqual(readableTokens(context, 0, 6, tokenizer), {
    tokens: ['a', '漢⟨1/3⟩', '漢⟨2/3⟩', '漢⟨3/3⟩', '↵', '⟨ff⟩'],
    text: 'a漢↵⟨ff⟩',
  })
  // Cut inside the character, which the context still completes.
  assert.deepEqual(readableTokens(context, 2, 5, tokenizer), {
    tokens: ['漢⟨2/3⟩', '漢⟨3/3⟩', '↵'],
    text: '漢⟨2/3⟩漢⟨3/3⟩↵',
  })
})

test('a demonstration has nine tokens and nine digits an example, which agree with its label', () => {
  assert.equal(demonstrations.length, 8)
  for (const { examples, explanation, reasoning } of demonstrations) {
    for (const { label, tokens, activations } of examples) {
      const list = tokens.split('|')
      assert.deepEqual([list.length, activations.length], [9, 9], tokens)
      assert.match(activations, /^\d{9}$/)
      const largest = Math.max(...[...activations].map(Number))
      const interval = Number(/interval (\d+) of 12/.exec(label)?.[1] ?? 0)
      if (interval > 0) {
        // The digits that an activation of the interval can get.
        const [low, high] = [quantise(interval - 0.999, 12), quantise(interval, 12)]
        assert.ok(largest >= low && largest <= high, `${label}: ${activations}`)
      } else assert.equal(largest, label === 'largest activations' ? 9 : 0, `${label}: ${tokens}`)
    }
    assert.deepEqual(
      new Set(examples.map(({ label }) => label.replace(/\d+ of 12/, ''))),
      new Set(['largest activations', 'interval ', 'random', 'top token where inactive']),
    )
    assert.ok(explanation.length < 100 && reasoning.length > explanation.length)
  }
})

test("a demonstration's inactive top token is active elsewhere, and no explanation quotes an active token", () => {
  for (const { examples, explanation } of demonstrations) {
    const active = new Set(
      examples.flatMap(({ tokens, activations }) =>
        tokens
          .split('|')
          .filter((_, i) => activations[i] !== '0')
          .map((token) => token.trim()),
      ),
    )
    const silent = examples.find(({ label }) => label === 'top token where inactive')
    const found = silent!.tokens.split('|').filter((token) => active.has(token.trim()))
    assert.ok(found.length > 0, explanation)
    const words = new Set(explanation.toLowerCase().match(/\p{L}+/gu))
    for (const token of active)
      assert.ok(token.length < 3 || !words.has(token.toLowerCase()), `${token}: ${explanation}`)
  }
})

test('the explain prompt has 8 demonstrations as turns and 49 examples with intervals and logits', () => {
  const evidence = toyEvidence()
  const messages = explainMessages(evidence, { tokenizer: toyTokenizer, intervals: 12 })
  assert.equal(messages.length, 17)
  assert.ok(messages.every(({ role }, i) => role === (i % 2 === 0 ? 'user' : 'assistant')))
  for (const { content } of messages.filter(({ role }) => role === 'assistant'))
    assert.deepEqual(Object.keys(JSON.parse(content)), ['reasoning', 'explanation'])
  const question = messages.at(-1)!.content
  const labels = [...question.matchAll(/^Example (\d+) \((.+)\)$/gm)]
  assert.deepEqual(
    labels.map(([, number]) => Number(number)),
    Array.from({ length: 49 }, (_, i) => i + 1),
  )
  const count = (pattern: RegExp) => labels.filter(([, , label]) => pattern.test(label)).length
  assert.equal(count(/^largest activations$/), 10)
  for (let i = 1; i <= 12; i++) assert.equal(count(new RegExp(`^interval ${i} of 12$`)), 2)
  assert.equal(count(/^random$/), 5)
  assert.equal(count(/^top token where inactive$/), 10)
  assert.equal([...question.matchAll(/ → \d$/gm)].length, 49 * 9)
  // The tenth largest weight is shown, the eleventh is left for the logit test.
  assert.match(question, /Logits raised most: " word0", .*" word9"\n/)
  assert.match(question, /Logits lowered most: " word199"/)
  assert.ok(!question.includes('\ufffd'))
  assert.match(question, /^ hot9 → 9$/m)
  assert.match(question, /^ not → 0\n hot\d → 0$/m)
})

test('the explain prompt does not depend on what is held out', () => {
  const evidence = toyEvidence()
  const options = { tokenizer: toyTokenizer, intervals: 12 }
  assert.deepEqual(explainMessages(evidence, options), explainMessages({ ...evidence, score: [] }, options))
})

test('a feature without logit weights gets a prompt without logits', () => {
  const evidence = { ...toyEvidence(), topLogits: [], bottomLogits: [] }
  const question = explainMessages(evidence, { tokenizer: toyTokenizer, intervals: 12 }).at(-1)!.content
  assert.ok(!question.includes('Logits'))
})

const key = (example: Example): string => cropExample(example, 9).tokens.join(' ')

test('examples are chosen by the counts, without neighbours, and no crop comes twice', () => {
  const { explain, score } = toyEvidence()
  assert.equal(protocolExamples(explain, explainCounts).length, 49)
  const chosen = protocolExamples(score, predictCounts, explain)
  assert.equal(chosen.length, 60)
  assert.ok(chosen.every(({ group }) => group !== 'neighbour'))

  const again = protocolExamples([...score, ...score], predictCounts, explain)
  assert.deepEqual(again, chosen)
  // Another wide context with the same nine tokens in the middle is the same example.
  const leaked = { ...explain[0], tokens: [11, ...explain[0].tokens.slice(1)] }
  const clean = protocolExamples([leaked, ...score], predictCounts, explain)
  assert.deepEqual(clean.map(key), chosen.map(key))
})

test('a shown example has nine tokens around its own, fewer only at the ends of a short text', () => {
  const [example] = toyEvidence().explain
  const shown = shownExample(example, 4.5, toyTokenizer)
  assert.deepEqual([shown.tokens.length, shown.digits.length], [9, 9])
  assert.deepEqual([shown.tokens[4], shown.digits[4]], [' hot9', 9])
  const short = { ...example, tokens: [2, 3, 4], activations: [0.5, 1, 1.5], tokenIndex: 0 }
  assert.deepEqual(shownExample(short, 4.5, toyTokenizer).digits, [1, 2, 3])
})
