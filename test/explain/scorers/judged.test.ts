import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDetectionScorer } from '../../../src/explain/scorers/detection.js'
import { createFuzzingScorer, fuzzedTexts } from '../../../src/explain/scorers/fuzzing.js'
import { createIntruderScorer, intruderQuestions } from '../../../src/explain/scorers/intruder.js'
import {
  activeTokens,
  labelledTexts,
  textWithHighlights,
} from '../../../src/explain/scorers/labelled-texts.js'
import { createLlmScorers } from '../../../src/explain/scorers/llm-scorers.js'
import { createLogitScorer, logitTokens } from '../../../src/explain/scorers/logit-test.js'
import { chatError, chatReply } from '../llm/local-server.js'
import { readableTokenizer, toyEvidence, toyTokenizer } from '../llm/toy-evidence.js'
import { askedServer, explanation } from './asked.js'

const evidence = toyEvidence()
const options = { tokenizer: toyTokenizer, seed: 5 }

/** The things of a question: what follows each number. */
const itemsOf = (question: string, noun: string): string[] =>
  [...question.matchAll(new RegExp(`^${noun} \\d+: (.*)$`, 'gm'))].map(([, item]) => item)

/** An answer that says yes to the things for which a function does. */
const judged = (question: string, noun: string, yes: (item: string) => boolean) => ({
  answers: itemsOf(question, noun).map((item, i) => ({ number: i + 1, probability: yes(item) ? 0.9 : 0.2 })),
})

/** A reader who knows the rule of the toy feature. */
const isActive = (text: string): boolean => /(?<! not) hot\d/.test(text)

test('detection asks about five held-out texts at a time, and a knowing reader scores 1', async (t) => {
  const { client, questions } = await askedServer(t, (question) => judged(question, 'text', isActive))
  const [score] = await createDetectionScorer({ ...options, client }).score(explanation, evidence)
  assert.deepEqual([score.scorer, score.value, score.n], ['detection', 1, 70])
  const { f1, auc, failed, specificityRandom, specificityOutOfContext, specificityNeighbour } = score.details
  assert.deepEqual([f1, auc, failed], [1, 1, 0])
  assert.deepEqual([specificityRandom, specificityOutOfContext, specificityNeighbour], [1, 1, 1])
  assert.deepEqual(
    questions().map((question) => itemsOf(question, 'text').length),
    new Array(14).fill(5),
  )
  const explained = new Set(evidence.explain.map((example) => textWithHighlights(example, toyTokenizer)))
  for (const question of questions()) {
    assert.ok(question.includes(explanation.text))
    assert.ok(!/interval|random|⟦|→|\ufffd/.test(question))
    for (const text of itemsOf(question, 'text')) assert.ok(!explained.has(text))
  }
})

test('detection by the word alone fails on that word out of context, and says so', async (t) => {
  const { client } = await askedServer(t, (question) =>
    judged(question, 'text', (text) => / hot\d/.test(text)),
  )
  const [score] = await createDetectionScorer({ ...options, client }).score(explanation, evidence)
  assert.deepEqual([score.details.specificityOutOfContext, score.details.specificityRandom], [0, 1])
  assert.equal(score.value, (1 + 20 / 40) / 2)
})

test('answers that fail are left out of the score and counted', async (t) => {
  const { client, calls } = await askedServer(t, (question, i) => {
    if (i === 2) return chatReply('', { refusal: 'No.' })
    if (i === 5) return chatError(500, 'oops')
    return judged(question, 'text', isActive)
  })
  const [score] = await createDetectionScorer({ ...options, client }).score(explanation, evidence)
  assert.deepEqual([score.value, score.n, score.details.failed], [1, 60, 10])
  const { refused, unavailable } = calls.usage().failures
  assert.deepEqual([refused, unavailable], [1, 1])
})

test('when every answer fails there is no score, and not zero', async (t) => {
  const { client } = await askedServer(t, () => chatReply('', { refusal: 'No.' }))
  for (const scorer of createLlmScorers({ ...options, client }))
    for (const { value, reason, scorer: name } of await scorer.score(explanation, evidence)) {
      assert.equal(value, null, name)
      assert.match(reason!, /refused/, name)
    }
})

test('an answer that skips a text or invents a probability is sent back', async (t) => {
  const { client, received } = await askedServer(t, (question, i) => {
    const answer = judged(question, 'text', isActive)
    if (i === 0) answer.answers.pop()
    if (i === 1) answer.answers[0].probability = 90
    return answer
  })
  const scorer = createDetectionScorer({ ...options, client, batch: 70 })
  const [score] = await scorer.score(explanation, evidence)
  assert.equal(score.value, null)
  assert.match(score.reason!, /probabilities from 0 to 1, got 90/)
  assert.match(received[1].body.messages.at(-1).content, /one answer for each text from 1 to 70/)
})

test('a text is labelled by what the feature does in it, whatever it was chosen for', () => {
  const [top] = evidence.score
  const mislabelled = { ...evidence, score: [{ ...top, group: 'random' as const }] }
  assert.deepEqual(
    labelledTexts(mislabelled, 0, 'x').map(({ active }) => active),
    [true],
  )
  assert.equal(labelledTexts({ ...evidence, score: [top, top], explain: [] }, 0, 'x').length, 1)
  assert.equal(labelledTexts({ ...evidence, score: [top], explain: [top] }, 0, 'x').length, 0)
})

test('the texts of a dense feature are cropped, all of them, until it is silent in some', () => {
  // Active on every tenth token: never silent for 32 or 16 tokens, but between two of those for 9.
  const dense = evidence.score.map((example) => ({
    ...example,
    activations: example.tokens.map((_, i) =>
      i % 10 === 5 || (example.group === 'top' && i === example.tokenIndex) ? 1 : 0,
    ),
  }))
  const texts = labelledTexts({ ...evidence, score: dense }, 0, 'x')
  assert.ok(texts.every(({ example }) => example.tokens.length === 9))
  assert.ok(texts.every(({ group, active }) => active === (group === 'top')))
  assert.ok(labelledTexts(evidence, 0, 'x').every(({ example }) => example.tokens.length === 32))
})

test('highlights join neighbours, and keep characters whole', () => {
  const tokenizer = readableTokenizer([[97], [98], ...[...Buffer.from('漢')].map((byte) => [byte])])
  const example = { ...evidence.score[0], tokens: [1, 2, 3, 4, 5, 2] }
  const show = (...places: number[]) => textWithHighlights(example, tokenizer, new Set(places))
  assert.equal(show(), 'ab漢b')
  assert.equal(show(0, 1), '⟦ab⟧漢b')
  assert.equal(show(3), 'ab⟦漢⟧b')
  assert.equal(show(0, 5), '⟦a⟧b漢⟦b⟧')
})

test('fuzzing highlights rightly or wrongly, about half of the active texts each', () => {
  const texts = fuzzedTexts(evidence, 5)
  assert.equal(texts.length, 70)
  assert.equal(texts.filter(({ right }) => right).length, 15)
  for (const { example, highlighted, right, kind } of texts) {
    const active = activeTokens(example)
    if (right) assert.deepEqual([...highlighted], active)
    else if (kind === 'WrongTokens') {
      assert.equal(highlighted.size, active.length)
      assert.ok(active.every((i) => !highlighted.has(i)))
    } else assert.deepEqual([[...highlighted], active], [[example.tokenIndex], []])
  }
  assert.deepEqual(texts, fuzzedTexts(evidence, 5))
})

test('fuzzing: a knowing reader scores 1, one who looks at the word alone fails on it out of context', async (t) => {
  const rule = (text: string): boolean => /(?<! not)⟦ hot\d⟧/.test(text)
  const { client, questions } = await askedServer(t, (question) => judged(question, 'text', rule))
  const scorer = createFuzzingScorer({ ...options, client })
  const [score] = await scorer.score(explanation, evidence)
  assert.deepEqual(
    [score.scorer, score.value, score.n, score.details.specificityWrongTokens],
    ['fuzzing', 1, 70, 1],
  )
  for (const text of questions().flatMap((question) => itemsOf(question, 'text'))) assert.match(text, /⟦.+⟧/)

  const naive = await askedServer(t, (question) => judged(question, 'text', (text) => /⟦ hot\d⟧/.test(text)))
  const [worse] = await createFuzzingScorer({ ...options, client: naive.client }).score(explanation, evidence)
  assert.deepEqual([worse.details.specificityOutOfContext, worse.details.specificityWrongTokens], [0, 1])
})

test('an intruder question has one text in which the feature is silent, and no explanation', async (t) => {
  const asked = intruderQuestions(evidence, { seed: 5 })
  assert.equal(asked.length, 10)
  for (const { texts, intruder } of asked) {
    assert.deepEqual(
      texts.map(({ active }) => active),
      texts.map((_, i) => i !== intruder),
    )
    assert.equal(new Set(texts).size, 5)
  }
  assert.ok(new Set(asked.map(({ intruder }) => intruder)).size > 1)
  assert.deepEqual(
    new Set(asked.map(({ texts, intruder }) => texts[intruder].group)),
    new Set(['random', 'out-of-context', 'neighbour']),
  )

  const { client, questions } = await askedServer(t, (question) => ({
    reasoning: 'Not hot.',
    intruder: 1 + itemsOf(question, 'text').findIndex((text) => !/(?<! not)⟦ hot\d/.test(text)),
  }))
  const [score] = await createIntruderScorer({ ...options, client }).score(explanation, evidence)
  assert.deepEqual([score.scorer, score.value, score.n, score.details.chance], ['intruder', 1, 10, 0.2])
  for (const question of questions()) assert.ok(!question.includes('heat'))
})

test('an intruder that is never found scores 0, and too few texts are no score', async (t) => {
  const { client } = await askedServer(t, (question) => ({
    reasoning: '',
    intruder: 1 + itemsOf(question, 'text').findIndex((text) => /(?<! not)⟦ hot\d/.test(text)),
  }))
  const scorer = createIntruderScorer({ ...options, client })
  assert.equal((await scorer.score(explanation, evidence))[0].value, 0)
  const few = await scorer.score(explanation, { ...evidence, score: evidence.score.slice(0, 10) })
  assert.deepEqual([few[0].value, few[0].n], [null, 0])
})

test('the logit test asks about 50 tokens ranked 10th to 60th and 50 random ones', async (t) => {
  const tokens = logitTokens(evidence, toyTokenizer, 5)
  const raised = tokens.filter((one) => one.raised).map(({ token }) => token)
  const ranked = evidence.topLogits.map(({ token }) => token)
  assert.deepEqual(new Set(raised), new Set(ranked.slice(10, 60)))
  const others = tokens.filter((one) => !one.raised).map(({ token }) => token)
  assert.equal(new Set(others).size, 50)
  assert.ok(others.every((token) => !ranked.includes(token) && token !== toyTokenizer.startOfText))
  assert.notDeepEqual(tokens.slice(0, 50).filter((one) => one.raised).length, 50)

  const names = new Set(raised.map((token) => JSON.stringify(toyTokenizer.tokenText(token))))
  const { client, questions } = await askedServer(t, (question) =>
    judged(question, 'token', (name) => names.has(name)),
  )
  const [score] = await createLogitScorer({ ...options, client }).score(explanation, evidence)
  assert.deepEqual([score.scorer, score.value, score.n], ['logit', 1, 100])
  assert.equal(questions().flatMap((question) => itemsOf(question, 'token')).length, 100)
})

test('the logit test of a feature without logit weights says what it lacks', async (t) => {
  const { client, received } = await askedServer(t, () => ({}))
  const [score] = await createLogitScorer({ ...options, client }).score(explanation, {
    ...evidence,
    topLogits: evidence.topLogits.slice(0, 10),
  })
  assert.equal(score.value, null)
  assert.match(score.reason!, /60 largest logit weights, and there are 10/)
  assert.equal(received.length, 0)
})

test('a spent budget is no score but an error, so that the rest is not asked either', async (t) => {
  const { client, calls } = await askedServer(t, (question) => judged(question, 'text', isActive))
  calls.config.maxTokensBudget = 250
  const scorer = createDetectionScorer({ ...options, client })
  await assert.rejects(scorer.score(explanation, evidence), /budget of 250 tokens is spent/)
})
