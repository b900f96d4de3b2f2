import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spearmanScore } from '../../../src/explain/correlation.js'
import type { Score, ScoredExample } from '../../../src/explain/evidence.js'
import { shownExample, withDigits } from '../../../src/explain/llm/shown-example.js'
import { predictCounts, protocolExamples } from '../../../src/explain/protocol-examples.js'
import { predictProblem } from '../../../src/explain/scorers/predict-prompt.js'
import { createPredictionScorer, predictExamples } from '../../../src/explain/scorers/prediction.js'
import { chatReply } from '../llm/local-server.js'
import { toyDigits, toyEvidence, toyTokenizer } from '../llm/toy-evidence.js'
import { askedServer, explanation } from './asked.js'

/** The examples of a question, as lists of its tokens. */
const examplesOf = (question: string): string[][] =>
  question
    .split('\n\n')
    .slice(1)
    .map((part) => [...part.matchAll(/^(.*) → _$/gm)].map(([, token]) => token))

/** An answer that gives every token the digit that a function gives. */
const filled = (question: string, digits: (tokens: string[]) => number[]) => ({
  examples: examplesOf(question).map((tokens, i) => {
    const values = digits(tokens)
    return { example: i + 1, filled: tokens.map((token, j) => `${token} → ${values[j]}`) }
  }),
})

const evidence = toyEvidence()
const options = { tokenizer: toyTokenizer, seed: 3 }

test('the prediction asks for 540 activations in a new conversation that shows nothing else', async (t) => {
  const { client, questions, received } = await askedServer(t, (question) => filled(question, toyDigits))
  await createPredictionScorer({ ...options, client }).score(explanation, evidence)
  assert.equal(received.length, 1)
  const [{ body }] = received
  // The system's instructions and one question: no earlier turns.
  assert.deepEqual(
    body.messages.map(({ role }: { role: string }) => role),
    ['system', 'user'],
  )
  const [question] = questions()
  assert.ok(question.startsWith('The feature responds to: heat, unless negated\n'))
  const examples = examplesOf(question)
  assert.equal(examples.length, 60)
  assert.ok(examples.every((tokens) => tokens.length === 9))
  assert.equal([...question.matchAll(/ → _$/gm)].length, 540)
  // Every line is the explanation, a heading, a text or a blank: no labels, no logits, no activations.
  for (const line of question.split('\n').slice(1)) assert.match(line, /^$|^Example \d+$|^Text: .+$|^.+ → _$/)
  assert.ok(!/interval|logit|random|largest/i.test(question))
  assert.ok(!/→ \d/.test(question) && !question.includes('\ufffd'))
})

test('the predicted examples are held out, shuffled, and the same for the same seed', async (t) => {
  const { client, questions } = await askedServer(t, (question) => filled(question, toyDigits))
  const texts = (examples: readonly string[][]): string[] => examples.map((tokens) => tokens.join(''))
  for (const seed of [3, 3, 4])
    await createPredictionScorer({ ...options, client, seed }).score(explanation, evidence)
  const [first, same, other] = questions().map(examplesOf).map(texts)
  assert.deepEqual(first, same)
  assert.notDeepEqual(first, other)
  assert.deepEqual(first.toSorted(), other.toSorted())
  const unshuffled = protocolExamples(evidence.score, predictCounts).map((example) =>
    shownExample(example, evidence.max, toyTokenizer).tokens.join(''),
  )
  assert.notDeepEqual(first, unshuffled)
  assert.deepEqual(first.toSorted(), unshuffled.toSorted())
  const explained = evidence.explain.map((example) =>
    shownExample(example, evidence.max, toyTokenizer).tokens.join(''),
  )
  assert.equal(first.filter((text) => explained.includes(text)).length, 0)
})

test('a reader who knows the rule scores 1, one who says the opposite scores less than 0, a constant scores 0', async (t) => {
  const readers = [
    toyDigits,
    (tokens: string[]) => toyDigits(tokens).map((digit) => 9 - digit),
    (tokens: string[]) => tokens.map(() => 4),
  ]
  const { client } = await askedServer(t, (question, i) => filled(question, readers[i]))
  const scores: Score[][] = []
  for (const _ of readers)
    scores.push(await createPredictionScorer({ ...options, client }).score(explanation, evidence))
  for (const [i, expected] of [1, -1, 0].entries())
    for (const [j, name] of ['spearman', 'pearson'].entries()) {
      const { scorer, value, n, reason, details } = scores[i][j]
      assert.deepEqual([scorer, n, reason, details.examples], [name, 540, null, 60])
      assert.ok(Math.abs(value! - expected) < 1e-9, `${name}: ${value}`)
      assert.equal(details.constant, i === 2 ? 1 : 0)
    }
})

test('one number missing is no score, after it was asked for again', async (t) => {
  const { client, calls, received } = await askedServer(t, (question) => {
    const answer = filled(question, toyDigits)
    answer.examples[17].filled.pop()
    return answer
  })
  const scores = await createPredictionScorer({ ...options, client }).score(explanation, evidence)
  assert.deepEqual(
    scores.map(({ scorer, value }) => [scorer, value]),
    [
      ['spearman', null],
      ['pearson', null],
    ],
  )
  assert.match(scores[0].reason!, /malformed.*example 18: expected 9 lines, got 8/)
  assert.equal(received.length, 2)
  assert.match(received[1].body.messages.at(-1).content, /example 18/)
  assert.equal(calls.usage().failures.malformed, 1)
})

test('a refusal is no score, and not zero', async (t) => {
  const { client } = await askedServer(t, () => chatReply('', { refusal: 'No.' }))
  const [spearman] = await createPredictionScorer({ ...options, client }).score(explanation, evidence)
  assert.equal(spearman.value, null)
  assert.match(spearman.reason!, /refused/)
})

test('several conversations together give the same predictions', async (t) => {
  const { client, questions } = await askedServer(t, (question) => filled(question, toyDigits))
  const scorer = createPredictionScorer({ ...options, client, examplesPerConversation: 25 })
  const [spearman] = await scorer.score(explanation, evidence)
  assert.deepEqual(
    questions().map((question) => examplesOf(question).length),
    [25, 25, 10],
  )
  assert.ok(Math.abs(spearman.value! - 1) < 1e-9)
  assert.equal(spearman.n, 540)
})

test('a feature that is silent on all held-out text has no score', async (t) => {
  const { client } = await askedServer(t, (question) => filled(question, toyDigits))
  const silent = evidence.score.filter(({ group }) => group === 'random')
  const [spearman] = await createPredictionScorer({ ...options, client }).score(explanation, {
    ...evidence,
    score: silent.map((example) => ({ ...example, activations: example.activations.map(() => 0) })),
  })
  assert.equal(spearman.value, null)
  assert.match(spearman.reason!, /the same on every token/)
})

test('an answer is used only when every token of every example has one digit', () => {
  const shown = predictExamples(evidence, options).slice(0, 2)
  const lines = shown.map((example) => withDigits(example).split('\n'))
  const answer = (examples: Array<[number, string[]]>) => ({
    examples: examples.map(([example, list]) => ({ example, filled: list })),
  })
  const problem = (examples: Array<[number, string[]]>) => predictProblem(answer(examples), shown)
  const [a, b] = lines
  assert.equal(
    problem([
      [1, a],
      [2, b],
    ]),
    null,
  )
  assert.equal(
    problem([
      [2, b],
      [1, a],
    ]),
    null,
  )
  assert.match(problem([[1, a]])!, /expected 2 examples, got 1/)
  assert.match(
    problem([
      [1, a],
      [1, b],
    ])!,
    /every example once, got 1/,
  )
  assert.match(
    problem([
      [1, a],
      [3, b],
    ])!,
    /every example once, got 3/,
  )
  assert.match(
    problem([
      [1, a],
      [2, [...b, b[0]]],
    ])!,
    /expected 9 lines, got 10/,
  )
  for (const bad of [' cat → _', ' cat', ' 7', ' cat → 10', ' cat → x'])
    assert.match(
      problem([
        [1, a],
        [2, [...b.slice(0, 8), bad]],
      ])!,
      /ends in a digit/,
      bad,
    )
})

test('what the model predicted is kept beside the truth, example by example', async (t) => {
  const { client } = await askedServer(t, (question) => filled(question, toyDigits))
  let kept: ScoredExample[] = []
  const keep = (examples: ScoredExample[]): void => {
    kept = examples
  }
  const scorer = createPredictionScorer({ ...options, client })
  const [spearman] = await scorer.score(explanation, evidence, undefined, keep)
  assert.equal(kept.length, 60)
  const shown = predictExamples(evidence, options)
  assert.deepEqual(
    kept.map(({ activations }) => activations),
    shown.map(({ digits }) => digits),
  )
  const predicted = kept.map(({ predictions }) => predictions ?? [])
  assert.deepEqual(
    predicted,
    shown.map(({ tokens }) => toyDigits([...tokens])),
  )
  const truth = kept.flatMap(({ activations }) => activations)
  assert.equal(spearmanScore(predicted.flat(), truth), spearman.value)
})
