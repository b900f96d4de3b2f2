import assert from 'node:assert/strict'
import { test } from 'node:test'
import { continueTexts } from '../../../src/model/generate.js'
import { createWrittenText } from '../../../src/server/model/written-text.js'
import {
  type ErrorBody,
  type SteerEvent,
  type SteerRequest,
  steerEventSchema,
} from '../../../src/server/protocol.js'
import { startServer } from '../../../src/server/serve.js'
import { printable } from '../../../src/terminal/printable.js'
import { smallFeatures } from '../../small-run.js'
import { fileLifetime } from '../../temporary-directory.js'
import { gate } from '../gate.js'
import { allEvents, countingKernels, eventsOf, modelApp, textOf } from '../model-app.js'

const app = await modelApp(fileLifetime())
const dead = smallFeatures - 1
const request: SteerRequest = {
  prompt: 'Line 1 says',
  edits: [{ feature: 1, strength: 4 }],
  maxTokens: 24,
  temperature: 1,
  seed: 3,
}

async function steer(changes: Partial<SteerRequest> = {}): Promise<SteerEvent[]> {
  const response = await app.post('/steer', { ...request, ...changes })
  assert.equal(response.status, 200)
  const events = await allEvents(response)
  for (const event of events) steerEventSchema.parse(event)
  return events
}

/** The events as they are meant to come, each type once. */
const shape = (events: readonly SteerEvent[]): string[] => [...new Set(events.map(({ type }) => type))]

const doneOf = (events: readonly SteerEvent[]) => events.at(-1) as Extract<SteerEvent, { type: 'done' }>

test('a stream starts, says what changes next, writes both sides in turn and ends with a judgement', async () => {
  const events = await steer()
  assert.deepEqual(shape(events), ['start', 'next', 'text', 'done'])
  assert.deepEqual(
    events.filter(({ type }) => type === 'start'),
    [{ type: 'start', truncated: false }],
  )
  const [next] = events.filter((event) => event.type === 'next')
  assert.ok(next.klDivergence > 0 && next.up.length > 0 && next.down.length > 0)
  const done = doneOf(events)
  assert.equal(done.type, 'done')
  for (const side of [done.unsteered, done.steered]) assert.ok(side.tokens > 0 && side.loss! > 0)
  const sides = events.flatMap((event) => (event.type === 'text' ? [event.side] : []))
  assert.ok(sides.lastIndexOf('unsteered') > sides.indexOf('steered'), 'neither waits for the other')
})

test('adding nothing writes the same text on both sides, the one that is written without a server', async () => {
  const events = await steer({ edits: [{ feature: 1, mode: 'add', strength: 0 }] })
  const { model, tokenizer } = await app.run.model!.load()
  const { prompt, maxTokens, temperature, seed } = request
  const [alone] = await continueTexts(model, tokenizer, [prompt], { maxTokens, temperature, seed, topP: 1 })
  const text = textOf(events, 'unsteered')
  assert.equal(text, printable(alone.text))
  assert.equal(textOf(events, 'steered'), text)
  const { unsteered, steered } = doneOf(events)
  assert.deepEqual(unsteered, steered)
  assert.ok(Math.abs(steered.klDivergence!) < 1e-6)
  assert.equal(steered.tokens, alone.tokens.length)
})

test('clamping changes what is written on the steered side only', async () => {
  const strong = await steer({
    edits: [
      { feature: 1, strength: 100 },
      { feature: 2, mode: 'ablate' },
    ],
  })
  assert.equal(textOf(strong, 'unsteered'), textOf(await steer(), 'unsteered'))
  assert.notEqual(textOf(strong, 'steered'), textOf(strong, 'unsteered'))
  assert.ok(doneOf(strong).steered.klDivergence! > 0)
})

test('a prompt longer than the context keeps its end, and the stream says so', async () => {
  const long = `${'שלום '.repeat(40)}${request.prompt}`
  const [cut, short] = [
    await steer({ prompt: long, maxTokens: 1 }),
    await steer({ prompt: '', maxTokens: 1 }),
  ]
  assert.deepEqual(cut[0], { type: 'start', truncated: true })
  assert.deepEqual(short[0], { type: 'start', truncated: false })
  const { model, tokenizer } = await app.run.model!.load()
  const end = tokenizer.encode(long).slice(-(model.config.context - 1))
  const given = { ...tokenizer, encode: () => end }
  const [alone] = await continueTexts(model, given, [''], { maxTokens: 1, temperature: 1, seed: 3, topP: 1 })
  assert.equal(textOf(cut, 'unsteered'), printable(alone.text))
})

test('a character comes when its last byte is there; what never becomes one is U+FFFD', () => {
  const bytes = [...new TextEncoder().encode('aس😀\u001b\n'), 0xd8]
  const stream = createWrittenText({ tokenBytes: (token) => Uint8Array.of(bytes[token]) })
  const parts = bytes.map((_, token) => stream.add(token))
  assert.deepEqual(parts, ['a', '', 'س', '', '', '', '😀', '\ufffd', '\n', ''])
  assert.equal(stream.end(), '\ufffd')
})

test('what cannot be steered is refused before the stream begins', async () => {
  const bad: [Partial<Record<keyof SteerRequest, unknown>>, number, RegExp][] = [
    [{ edits: [{ feature: 99 }] }, 404, /99/],
    [{ edits: [{ feature: dead }] }, 404, /feature 7 is dead/],
    [{ edits: [{ feature: 1 }, { feature: 1 }] }, 400, /feature 1 is named twice/],
    [{ edits: [] }, 400, /edits/],
    [{ edits: [{ feature: 1, mode: 'melt' }] }, 400, /mode/],
    [{ maxTokens: 100_000 }, 400, /maxTokens/],
    [{ edits: [{ feature: 1, strength: 1e9 }] }, 400, /strength/],
  ]
  for (const [changes, status, message] of bad) {
    const response = await app.post('/steer', { ...request, ...changes })
    assert.equal(response.status, status)
    assert.match(((await response.json()) as ErrorBody).error.message, message)
  }
})

test('a client that leaves stops the writing within a token, and leaves no tensor behind', async () => {
  await steer()
  const before = app.kernels.live()
  const leaving = new AbortController()
  const response = await app.post('/steer', { ...request, maxTokens: 512 }, leaving.signal)
  for await (const event of eventsOf(response)) {
    if (event.type !== 'text') continue
    leaving.abort()
    break
  }
  const passes = app.kernels.passes()
  assert.equal((await app.post('/text', { text: 'hello' })).status, 200)
  assert.deepEqual(shape(await steer({ maxTokens: 1 })).at(-1), 'done')
  // Of the run that was left at most one more token on each side, then two for what comes next, two for writing and two for each judgement.
  assert.ok(app.kernels.passes() - passes <= 2 + 2 + 2 + 4, `${app.kernels.passes() - passes} passes`)
  assert.equal(app.kernels.live(), before)
})

test('closing the stream is leaving too', async () => {
  const before = app.kernels.live()
  const response = await app.post('/steer', { ...request, maxTokens: 512 })
  for await (const event of eventsOf(response)) if (event.type === 'next') break
  assert.equal((await steer({ maxTokens: 1 })).at(-1)!.type, 'done')
  assert.equal(app.kernels.live(), before)
})

test('a client that closes its connection stops the writing', async (t) => {
  const kernels = countingKernels()
  const server = await startServer({ runs: [app.root], port: 0, kernels: async () => kernels })
  t.after(() => server.close())
  const send = (maxTokens: number, signal?: AbortSignal) =>
    fetch(`${server.url}/api/v1/runs/${server.runs[0].run}/steer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...request, maxTokens }),
      signal,
    })
  const last = async () => (await allEvents(await send(1))).at(-1)?.type
  assert.equal(await last(), 'done')
  const [live, passes] = [kernels.live(), kernels.passes()]
  const leaving = new AbortController()
  const events = eventsOf(await send(512, leaving.signal))
  while ((await events.next()).value?.type !== 'text');
  leaving.abort()
  assert.equal(await last(), 'done')
  assert.ok(kernels.passes() - passes < 1000, 'a whole run takes more')
  assert.equal(kernels.live(), live)
})

test('a second run hears that it waits, and starts when the first is done', async () => {
  const end = gate()
  const first = app.queue.run({ lane: 'write', signal: new AbortController().signal }, () => end.promise)
  const events = eventsOf(await app.post('/steer', { ...request, maxTokens: 2 }))
  assert.deepEqual((await events.next()).value, { type: 'queued', ahead: 1 })
  end.resolve()
  await first
  assert.deepEqual((await events.next()).value, { type: 'start', truncated: false })
  await events.return()
})

test('a text is answered while a generation goes on', async () => {
  const response = await app.post('/steer', { ...request, maxTokens: 512 })
  const events = eventsOf(response)
  while ((await events.next()).value?.type !== 'text');
  assert.equal((await app.post('/text', { text: 'hello' })).status, 200)
  const { value } = await events.next()
  assert.equal(value?.type, 'text', 'the generation is not over')
  await events.return()
})
