import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../../src/config/parse-config.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import { createLlmClient } from '../../../src/explain/llm/llm-client.js'
import { llmConfigSchema } from '../../../src/explain/llm/llm-config.js'
import { createLlmExplainer } from '../../../src/explain/llm/llm-explainer.js'
import { createRemoteCalls } from '../../../src/explain/llm/remote-calls.js'
import { anthropicReply, chatReply, localServer } from './local-server.js'
import { toyEvidence, toyTokenizer } from './toy-evidence.js'

function explainerOf(baseUrl: string, options: Record<string, unknown> = {}, name = 'compatible:tiny') {
  const calls = createRemoteCalls(parseConfig(llmConfigSchema, { baseUrl, backoff: 0.002, ...options }))
  const client = createLlmClient(name, calls, { ANTHROPIC_API_KEY: 'k' })
  return { calls, explainer: createLlmExplainer({ client, tokenizer: toyTokenizer }) }
}

const answer = { reasoning: 'They are hot.', explanation: ' heat,\n unless negated ' }

test('an explanation names its feature and its model, on either protocol', async (t) => {
  const compatible = await localServer(t, () => chatReply(answer))
  const anthropic = await localServer(t, () => anthropicReply(answer))
  for (const [server, name] of [
    [compatible, 'compatible:tiny'],
    [anthropic, 'anthropic:claude-sonnet-4-5'],
  ] as const) {
    const { explainer } = explainerOf(server.url, {}, name)
    assert.deepEqual(await explainer.explain(toyEvidence()), {
      feature: 42,
      text: 'heat, unless negated',
      explainer: name,
    })
    // Demonstrations and question arrive as 17 turns.
    const turns = server.received[0].body.messages.filter(({ role }: { role: string }) => role !== 'system')
    assert.equal(turns.length, 17)
  }
})

test('an empty or endless explanation is asked for again', async (t) => {
  const texts = ['', 'x'.repeat(500), 'heat']
  const server = await localServer(t, (_, i) => chatReply({ ...answer, explanation: texts[i] }))
  const { explainer } = explainerOf(server.url)
  await assert.rejects(explainer.explain(toyEvidence()), /malformed.*500 characters/)
  assert.equal((await explainer.explain(toyEvidence())).text, 'heat')
})

test('a refusal fails this feature only; a spent budget fails every one', async (t) => {
  const server = await localServer(t, (_, i) => chatReply(answer, i === 0 ? { refusal: 'No.' } : {}))
  const { explainer, calls } = explainerOf(server.url, { maxTokensBudget: 200 })
  const failsWith = (code: string) => (error: unknown) => error instanceof MonosemError && error.code === code
  await assert.rejects(explainer.explain(toyEvidence(1)), failsWith('remote'))
  await explainer.explain(toyEvidence(2))
  await assert.rejects(explainer.explain(toyEvidence(3)), failsWith('config'))
  assert.equal(calls.usage().failures.refused, 1)
  assert.equal(server.received.length, 2)
})
