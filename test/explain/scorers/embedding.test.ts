import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../../src/config/parse-config.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import { llmConfigSchema } from '../../../src/explain/llm/llm-config.js'
import { createRemoteCalls } from '../../../src/explain/llm/remote-calls.js'
import { createRemoteEmbedder } from '../../../src/explain/llm/remote-embedder.js'
import { createEmbeddingScorer } from '../../../src/explain/scorers/embedding.js'
import { createNgramEmbedder } from '../../../src/explain/scorers/ngram-embedder.js'
import { temporaryDirectory } from '../../temporary-directory.js'
import { chatError, localServer } from '../llm/local-server.js'
import { toyEvidence, toyTokenizer } from '../llm/toy-evidence.js'
import { explanation } from './asked.js'

const evidence = toyEvidence()

const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, v, i) => sum + v * y[i], 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

test('n-grams find spelling: a form of the same word is nearer than another word', async () => {
  const texts = ['negation of verbs', 'the verb is negated', 'a red house', 'قرأ الولد الكتاب']
  const [query, near, far, other] = await createNgramEmbedder().embed(texts)
  assert.ok(cosine(query, near) > cosine(query, far) + 0.05)
  assert.equal(cosine(query, other), 0)
  assert.deepEqual(await createNgramEmbedder().embed(texts), [query, near, far, other])
})

test('the embedding score is high for an explanation that names the words, and a half for one that says nothing', async () => {
  const scorer = createEmbeddingScorer({ tokenizer: toyTokenizer })
  // Out-of-context texts hold the same words: leave them to the hard scorers.
  const easy = { ...evidence, score: evidence.score.filter(({ group }) => group !== 'out-of-context') }
  const words = Array.from({ length: 9 }, (_, i) => `hot${i + 1}`).join(' ')
  const [named] = await scorer.score({ ...explanation, text: words }, easy)
  assert.deepEqual([named.scorer, named.n, named.details.positives], ['embedding', 50, 30])
  assert.equal(named.value, 1)
  const [empty] = await scorer.score({ ...explanation, text: '…' }, easy)
  assert.equal(empty.value, 0.5)
})

test('a feature that is never silent in held-out text has no score', async () => {
  const scorer = createEmbeddingScorer({ tokenizer: toyTokenizer })
  const active = evidence.score.filter(({ group }) => group === 'top')
  const [score] = await scorer.score(explanation, { ...evidence, score: active })
  assert.equal(score.value, null)
  assert.match(score.reason!, /silent/)
})

function embedderOf(baseUrl: string, options: Record<string, unknown> = {}) {
  const config = parseConfig(llmConfigSchema, { baseUrl, backoff: 0.002, retries: 1, ...options })
  const calls = createRemoteCalls(config)
  return { calls, embedder: createRemoteEmbedder('compatible:nomic-embed-text', calls, {}) }
}

const embeddings = (input: string[], vector: (text: string) => number[]) => ({
  body: {
    object: 'list',
    model: 'test',
    data: input.map((text, index) => ({ object: 'embedding', index, embedding: vector(text) })),
    usage: { prompt_tokens: 7, total_tokens: 7 },
  },
})

test('an embedding model is asked over the network, in batches, once', async (t) => {
  const vector = (text: string): number[] => (/(?<! not) hot|heat/.test(text) ? [1, 0] : [0.1, 1])
  const server = await localServer(t, ({ body }) => embeddings(body.input, vector))
  const cacheDirectory = await temporaryDirectory(t)
  const first = embedderOf(server.url, { cacheDirectory })
  const scorer = createEmbeddingScorer({ tokenizer: toyTokenizer, embedder: first.embedder })
  const [score] = await scorer.score(explanation, evidence)
  assert.equal(score.value, 1)
  assert.deepEqual(
    server.received.map(({ path, body }) => [path, body.input.length]),
    [
      ['/v1/embeddings', 64],
      ['/v1/embeddings', 7],
    ],
  )
  assert.equal(first.calls.usage().inputTokens, 14)
  const { embedder } = embedderOf(server.url, { cacheDirectory })
  assert.deepEqual(
    await createEmbeddingScorer({ tokenizer: toyTokenizer, embedder }).score(explanation, evidence),
    [score],
  )
  assert.equal(server.received.length, 2)
})

test('an embedding model that fails is no score; one that does not exist is refused at once', async (t) => {
  const server = await localServer(t, () => chatError(500, 'oops'))
  const { embedder, calls } = embedderOf(server.url)
  const [score] = await createEmbeddingScorer({ tokenizer: toyTokenizer, embedder }).score(
    explanation,
    evidence,
  )
  assert.equal(score.value, null)
  assert.match(score.reason!, /HTTP 500/)
  assert.ok(calls.usage().failures.unavailable >= 1)
  assert.throws(
    () => createRemoteEmbedder('anthropic:x', calls, { ANTHROPIC_API_KEY: 'k' }),
    (error) => error instanceof MonosemError && /offers none/.test(error.message),
  )
})
