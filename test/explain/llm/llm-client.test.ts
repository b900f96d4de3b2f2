import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { parseConfig } from '../../../src/config/parse-config.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import { createLlmClient, type LlmRequest } from '../../../src/explain/llm/llm-client.js'
import { llmConfigSchema } from '../../../src/explain/llm/llm-config.js'
import { createRemoteCalls } from '../../../src/explain/llm/remote-calls.js'
import { temporaryDirectory } from '../../temporary-directory.js'
import { anthropicReply, chatError, chatReply, localServer, unusedPort } from './local-server.js'

const schema = z.object({ answer: z.string() })

const question = (content = 'What is it?'): LlmRequest<{ answer: string }> => ({
  purpose: 'test',
  system: 'Answer in JSON.',
  messages: [{ role: 'user', content }],
  schema,
})

function clientOf(
  baseUrl: string,
  options: Record<string, unknown> = {},
  name = 'compatible:tiny:1b',
  environment: NodeJS.ProcessEnv = {},
) {
  const config = parseConfig(llmConfigSchema, { baseUrl, backoff: 0.002, timeout: 5, ...options })
  const calls = createRemoteCalls(config)
  return { calls, client: createLlmClient(name, calls, environment) }
}

const failsWith = (code: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof MonosemError, String(error))
  assert.equal(error.code, code)
  assert.match(error.message, pattern)
  return true
}

test('an answer arrives from an OpenAI-compatible server, which is asked as its protocol says', async (t) => {
  const server = await localServer(t, () => chatReply({ answer: 'a cat' }))
  const { client, calls } = clientOf(server.url, { inputPrice: 2, outputPrice: 10 })
  assert.deepEqual(await client.ask(question()), { ok: true, value: { answer: 'a cat' } })
  const [{ path, headers, body }] = server.received
  assert.equal(path, '/v1/chat/completions')
  assert.equal(headers.authorization, undefined)
  assert.equal(body.model, 'tiny:1b')
  assert.equal(body.temperature, 0)
  assert.equal(body.max_tokens, 16384)
  assert.equal(body.response_format.type, 'json_schema')
  assert.deepEqual(body.response_format.json_schema.schema.required, ['answer'])
  assert.deepEqual(
    body.messages.map((message: { role: string }) => message.role),
    ['system', 'user'],
  )
  const usage = calls.usage()
  assert.deepEqual([usage.answers, usage.inputTokens, usage.outputTokens], [1, 100, 10])
  assert.ok(Math.abs(usage.cost - (100 * 2 + 10 * 10) / 1e6) < 1e-12)
})

test("an answer arrives through Anthropic's protocol, with its key", async (t) => {
  const server = await localServer(t, () => anthropicReply({ answer: 'a dog' }))
  const { client } = clientOf(server.url, {}, 'anthropic:claude-sonnet-4-5', { ANTHROPIC_API_KEY: 'secret' })
  assert.deepEqual(await client.ask(question()), { ok: true, value: { answer: 'a dog' } })
  const [{ path, headers, body }] = server.received
  assert.equal(path, '/v1/messages')
  assert.equal(headers['x-api-key'], 'secret')
  assert.equal(body.system[0].text, 'Answer in JSON.')
  assert.equal(body.messages[0].content[0].text, 'What is it?')
})

test('a model of Anthropic without structured output answers through a tool', async (t) => {
  const server = await localServer(t, () => {
    const { body } = anthropicReply('', 'tool_use')
    const content = [{ type: 'tool_use', id: 'toolu_1', name: 'json', input: { answer: 'a dog' } }]
    return { body: { ...(body as object), content } }
  })
  const { client } = clientOf(server.url, {}, 'anthropic:claude-3-haiku-20240307', { ANTHROPIC_API_KEY: 'k' })
  assert.deepEqual(await client.ask(question()), { ok: true, value: { answer: 'a dog' } })
  assert.equal(server.received[0].body.tools[0].name, 'json')
})

test("a refusal in Anthropic's protocol is a counted failure", async (t) => {
  const server = await localServer(t, () => anthropicReply('', 'refusal'))
  const { client, calls } = clientOf(server.url, {}, 'anthropic:claude-sonnet-4-5', {
    ANTHROPIC_API_KEY: 'k',
  })
  const answer = await client.ask(question())
  assert.equal(!answer.ok && answer.kind, 'refused')
  assert.equal(calls.usage().failures.refused, 1)
})

test('openai speaks the chat protocol, with its key', async (t) => {
  const server = await localServer(t, () => chatReply({ answer: 'x' }))
  const { client } = clientOf(server.url, {}, 'openai:gpt-4o-mini', { OPENAI_API_KEY: 'sk-1' })
  assert.ok((await client.ask(question())).ok)
  assert.equal(server.received[0].path, '/v1/chat/completions')
  assert.equal(server.received[0].headers.authorization, 'Bearer sk-1')
})

test('a missing key is named before anything is sent; a model without provider is refused', () => {
  const calls = createRemoteCalls(parseConfig(llmConfigSchema, {}))
  const create = (name: string) => () => createLlmClient(name, calls, {})
  assert.throws(create('anthropic:x'), failsWith('config', /ANTHROPIC_API_KEY/))
  assert.throws(create('openai:x'), failsWith('config', /OPENAI_API_KEY/))
  assert.throws(create('compatible:x'), failsWith('config', /--base-url/))
  assert.throws(create('gpt-4'), failsWith('config', /anthropic:MODEL/))
  assert.throws(create('constructor:x'), failsWith('config', /anthropic:MODEL/))
})

test('malformed JSON is sent back once with what is wrong, and then used', async (t) => {
  const server = await localServer(t, (_, i) => chatReply(i === 0 ? 'It is a cat.' : { answer: 'a cat' }))
  const { client, calls } = clientOf(server.url)
  assert.deepEqual(await client.ask(question()), { ok: true, value: { answer: 'a cat' } })
  assert.equal(server.received.length, 2)
  const [, , bad, complaint] = server.received[1].body.messages
  assert.deepEqual([bad.role, bad.content], ['assistant', 'It is a cat.'])
  assert.match(complaint.content, /not JSON/)
  assert.equal(calls.usage().failures.malformed, 0)
})

test('an answer that stays malformed is a counted failure with its reason', async (t) => {
  const server = await localServer(t, () => chatReply({ reply: 'a cat' }))
  const { client, calls } = clientOf(server.url)
  const answer = await client.ask(question())
  assert.deepEqual(answer.ok, false)
  assert.match(!answer.ok ? answer.reason : '', /answer/)
  assert.equal(server.received.length, 2)
  assert.equal(calls.usage().failures.malformed, 1)
})

test('an answer that fits the schema but not the question is sent back too', async (t) => {
  const server = await localServer(t, (_, i) => chatReply({ answer: i === 0 ? 'no' : 'yes' }))
  const { client } = clientOf(server.url)
  const check = ({ answer }: { answer: string }) => (answer === 'yes' ? null : 'it must be yes')
  assert.ok((await client.ask({ ...question(), check })).ok)
  assert.match(server.received[1].body.messages.at(-1).content, /it must be yes/)
})

test('JSON in a code fence or after thoughts is JSON', async (t) => {
  const texts = [
    'Here:\n```json\n{"answer": "1"}\n```\nDone.',
    '<think>{"answer": 0}</think>\n{"answer": "2"}',
    'Sure! {"answer": "3"}',
  ]
  const server = await localServer(t, (_, i) => chatReply(texts[i]))
  const { client } = clientOf(server.url)
  for (const [i] of texts.entries())
    assert.deepEqual(await client.ask(question(`${i}`)), { ok: true, value: { answer: `${i + 1}` } })
})

test('429 is tried again after the time that Retry-After names', async (t) => {
  const times: number[] = []
  const server = await localServer(t, (_, i) => {
    times.push(performance.now())
    return i === 0 ? chatError(429, 'slow down', { 'retry-after': '1' }) : chatReply({ answer: 'x' })
  })
  const { client, calls } = clientOf(server.url)
  assert.ok((await client.ask(question())).ok)
  // Never earlier than asked for; the back-off alone would be 2 ms.
  assert.ok(times[1] - times[0] >= 990, `${times[1] - times[0]} ms`)
  assert.equal(calls.usage().retries, 1)
})

test('a pause that nobody would wait for is a failure at once', async (t) => {
  const server = await localServer(t, () => chatError(429, 'quota', { 'retry-after': '7200' }))
  const { client } = clientOf(server.url)
  const answer = await client.ask(question())
  assert.equal(!answer.ok && answer.kind, 'unavailable')
  assert.match(!answer.ok ? answer.reason : '', /7200 s/)
  assert.equal(server.received.length, 1)
})

for (const [name, reply] of [
  ['a server error', chatError(500, 'oops')],
  [
    'a connection broken in the middle of an answer',
    { cut: '{"choices": [{"message": {"content": "{\\"ans' },
  ],
  ['an answer cut short', { short: '{"choices": [{"message": {"content": "{\\"ans' }],
  ['an answer without any choice', { body: { choices: [] } }],
] as const)
  test(`${name} is tried again, and a counted failure when it stays`, async (t) => {
    const server = await localServer(t, (_, i) => (i < 2 ? reply : chatReply({ answer: 'x' })))
    const recovered = clientOf(server.url)
    assert.deepEqual(await recovered.client.ask(question()), { ok: true, value: { answer: 'x' } })
    assert.equal(recovered.calls.usage().retries, 2)

    const broken = await localServer(t, () => reply)
    const { client, calls } = clientOf(broken.url, { retries: 2 })
    const answer = await client.ask(question())
    assert.equal(!answer.ok && answer.kind, 'unavailable')
    assert.match(!answer.ok ? answer.reason : '', /3 attempts/)
    assert.equal(broken.received.length, 3)
    assert.equal(calls.usage().failures.unavailable, 1)
  })

test('a server that says nothing runs into the timeout, and is tried again', async (t) => {
  const server = await localServer(t, (_, i) => (i === 0 ? 'hang' : chatReply({ answer: 'x' })))
  const { client, calls } = clientOf(server.url, { timeout: 1 })
  assert.ok((await client.ask(question())).ok)
  assert.equal(calls.usage().retries, 1)

  const silent = await localServer(t, () => 'hang')
  const answer = await clientOf(silent.url, { timeout: 1, retries: 1 }).client.ask(question())
  assert.equal(!answer.ok && answer.kind, 'timeout')
  assert.equal(silent.received.length, 2)
})

test('a refusal is a counted failure, and is not argued with', async (t) => {
  const server = await localServer(t, (_, i) =>
    chatReply('', i === 0 ? { refusal: 'I cannot help with that.' } : { finish_reason: 'content_filter' }),
  )
  const { client, calls } = clientOf(server.url)
  const answer = await client.ask(question('a'))
  assert.equal(!answer.ok && answer.kind, 'refused')
  assert.match(!answer.ok ? answer.reason : '', /cannot help/)
  assert.equal(!(await client.ask(question('b'))).ok, true)
  assert.equal(calls.usage().failures.refused, 2)
  assert.equal(server.received.length, 2)
})

test('an answer that reached the limit of tokens is a counted failure', async (t) => {
  const server = await localServer(t, () => chatReply('{"answer": "a c', { finish_reason: 'length' }))
  const { client, calls } = clientOf(server.url)
  assert.equal((await client.ask(question())).ok, false)
  assert.equal(calls.usage().failures.truncated, 1)
})

test('a server without structured output is asked without it, from then on', async (t) => {
  const server = await localServer(t, ({ body }) =>
    body.response_format ? chatError(400, 'response_format is not supported') : chatReply({ answer: 'x' }),
  )
  const { client } = clientOf(server.url)
  assert.ok((await client.ask(question('a'))).ok)
  assert.ok((await client.ask(question('b'))).ok)
  assert.deepEqual(
    server.received.map(({ body }) => body.response_format !== undefined),
    [true, false, false],
  )
})

test('a request that is refused either way is a counted failure, and structured output stays', async (t) => {
  const server = await localServer(t, ({ body }) =>
    JSON.stringify(body).includes('long')
      ? chatError(400, 'context length exceeded')
      : chatReply({ answer: 'x' }),
  )
  const { client, calls } = clientOf(server.url)
  const answer = await client.ask(question('long'))
  assert.equal(!answer.ok && answer.kind, 'rejected')
  assert.match(!answer.ok ? answer.reason : '', /context length exceeded/)
  assert.ok((await client.ask(question('short'))).ok)
  assert.ok(server.received.at(-1)!.body.response_format)
  assert.equal(calls.usage().failures.rejected, 1)
})

test('a model that takes no temperature is asked without it', async (t) => {
  const server = await localServer(t, ({ body }) =>
    body.temperature === undefined
      ? chatReply({ answer: 'x' })
      : chatError(400, "'temperature' is not supported"),
  )
  const { client } = clientOf(server.url)
  assert.ok((await client.ask(question())).ok)
  assert.ok(server.received[1].body.response_format)
})

test('a refused key, an unknown model and a server that is not there stop everything', async (t) => {
  const denied = await localServer(t, () => chatError(401, 'bad key'))
  await assert.rejects(clientOf(denied.url).client.ask(question()), failsWith('config', /refuses the key/))
  const unknown = await localServer(t, () => chatError(404, 'model not found'))
  await assert.rejects(clientOf(unknown.url).client.ask(question()), failsWith('missing', /no such model/))
  const port = await unusedPort()
  for (const host of ['127.0.0.1', 'localhost']) {
    const nobody = clientOf(`http://${host}:${port}/v1`, { retries: 1 })
    await assert.rejects(nobody.client.ask(question()), failsWith('missing', /no connection .*ECONNREFUSED/))
  }
})

test('an account without credit stops everything', async (t) => {
  const body = { error: { message: 'You exceeded your current quota', code: 'insufficient_quota' } }
  for (const reply of [{ status: 429, body }, chatError(400, 'Your credit balance is too low')]) {
    const server = await localServer(t, () => reply)
    await assert.rejects(clientOf(server.url).client.ask(question()), failsWith('config', /no credit/))
    assert.equal(server.received.length, 1)
  }
})

test('a spent budget stops before the next request', async (t) => {
  const server = await localServer(t, () => chatReply({ answer: 'x' }))
  const tokens = clientOf(server.url, { maxTokensBudget: 150 })
  assert.ok((await tokens.client.ask(question('a'))).ok)
  assert.ok((await tokens.client.ask(question('b'))).ok)
  await assert.rejects(tokens.client.ask(question('c')), failsWith('config', /150 tokens is spent: 220/))
  assert.equal(server.received.length, 2)
  const cost = clientOf(server.url, { maxCost: 0.0001, inputPrice: 1 })
  assert.ok((await cost.client.ask(question('a'))).ok)
  await assert.rejects(cost.client.ask(question('b')), failsWith('config', /cost of 0.0001/))
})

test('a limit of the cost without prices is refused', () => {
  const config = parseConfig(llmConfigSchema, { maxCost: 1 })
  assert.throws(() => createRemoteCalls(config), failsWith('config', /--max-cost/))
})

test('kept answers are not asked again, not even with a spent budget', async (t) => {
  const cacheDirectory = join(await temporaryDirectory(t), 'answers')
  const server = await localServer(t, (_, i) => chatReply({ answer: `${i}` }))
  const first = clientOf(server.url, { cacheDirectory })
  const before = await Promise.all(['a', 'b', 'a'].map((content) => first.client.ask(question(content))))
  assert.deepEqual(before[0], before[2])
  assert.equal(server.received.length, 2)

  const second = clientOf(server.url, { cacheDirectory, maxTokensBudget: 1 })
  assert.deepEqual(await second.client.ask(question('a')), before[0])
  assert.deepEqual(await second.client.ask(question('b')), before[1])
  assert.equal(server.received.length, 2)
  const usage = second.calls.usage()
  assert.deepEqual([usage.answers, usage.cached, usage.inputTokens], [0, 2, 0])
  // Another question, temperature or schema is another request.
  await second.client.ask(question('c'))
  await clientOf(server.url, { cacheDirectory, temperature: 1 }).client.ask(question('a'))
  const other = z.object({ answer: z.string(), more: z.string() })
  await first.client.ask({ ...question('a'), schema: other }).catch(() => {})
  assert.equal(new Set(server.received.map(({ body }) => JSON.stringify(body))).size, server.received.length)
  assert.ok(server.received.length >= 5)
  const files = await readdir(cacheDirectory, { recursive: true })
  assert.ok(files.every((file) => !file.endsWith('.tmp')))
})

test('a failed call leaves nothing in the cache', async (t) => {
  const cacheDirectory = await temporaryDirectory(t)
  const server = await localServer(t, (_, i) => (i === 0 ? chatError(500, 'x') : chatReply({ answer: 'x' })))
  const options = { cacheDirectory, retries: 0 }
  assert.equal((await clientOf(server.url, options).client.ask(question())).ok, false)
  assert.deepEqual(await readdir(cacheDirectory), [])
  assert.ok((await clientOf(server.url, options).client.ask(question())).ok)
})

test('no more requests are under way than allowed', async (t) => {
  let running = 0
  let most = 0
  const server = await localServer(t, async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 20))
    running--
    return chatReply({ answer: 'x' })
  })
  const { client } = clientOf(server.url, { concurrency: 3 })
  await Promise.all(Array.from({ length: 12 }, (_, i) => client.ask(question(`${i}`))))
  assert.equal(most, 3)
})

test('an interruption ends a request under way, and a pause between attempts', async (t) => {
  const silent = await localServer(t, () => 'hang')
  const busy = await localServer(t, () => chatError(429, 'later', { 'retry-after': '100' }))
  for (const server of [silent, busy]) {
    const controller = new AbortController()
    const asking = clientOf(server.url).client.ask(question(), controller.signal)
    while (server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    setTimeout(() => controller.abort(), 20)
    await assert.rejects(asking, failsWith('interrupted', /./))
  }
})
