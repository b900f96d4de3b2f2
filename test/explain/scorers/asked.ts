import type { TestContext } from 'node:test'
import { parseConfig } from '../../../src/config/parse-config.js'
import { createLlmClient } from '../../../src/explain/llm/llm-client.js'
import { llmConfigSchema } from '../../../src/explain/llm/llm-config.js'
import { createRemoteCalls } from '../../../src/explain/llm/remote-calls.js'
import { chatReply, localServer, type Reply } from '../llm/local-server.js'

/** A client of a local server that answers each question, as text, by a function. */
export async function askedServer(t: TestContext, answer: (question: string, index: number) => unknown) {
  const server = await localServer(t, ({ body }, index): Reply => {
    const result = answer(body.messages[1].content, index)
    return isReply(result) ? result : chatReply(result)
  })
  const calls = createRemoteCalls(
    parseConfig(llmConfigSchema, { baseUrl: server.url, backoff: 0.002, retries: 0 }),
  )
  const questions = (): string[] => server.received.map(({ body }) => body.messages[1].content)
  return {
    client: createLlmClient('compatible:tiny', calls, {}),
    calls,
    questions,
    received: server.received,
  }
}

const isReply = (result: unknown): result is Reply =>
  result === 'hang' || (typeof result === 'object' && result !== null && 'body' in result)

export const explanation = { feature: 42, text: 'heat, unless negated', explainer: 'user' }
