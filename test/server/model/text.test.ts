import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { createWorkspace, forward, freeWorkspace } from '../../../src/model/transformer.js'
import { encode } from '../../../src/sae/sae.js'
import { createJobQueue } from '../../../src/server/model/job-queue.js'
import {
  type Attribution,
  attributionSchema,
  type ErrorBody,
  type TextRun,
  textRunSchema,
} from '../../../src/server/protocol.js'
import { randomArrays } from '../../eval/tiny-sae.js'
import { features, smallFeatures, writeSae } from '../../small-run.js'
import { fileLifetime } from '../../temporary-directory.js'
import { gate } from '../gate.js'
import { modelApp } from '../model-app.js'

const app = await modelApp(fileLifetime(), { arrays: randomArrays(features, 12) })
const text = 'says سلام 7'

async function textRun(body: object): Promise<TextRun> {
  const response = await app.post('/text', body)
  assert.equal(response.status, 200)
  return textRunSchema.parse(await response.json())
}

async function errorOf(response: Response): Promise<ErrorBody['error']> {
  return ((await response.json()) as ErrorBody).error
}

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-3 * Math.max(1e-6, Math.abs(b))

test('activations and losses of a text are those of a forward pass and encode', async () => {
  const { model, sae, tokenizer } = await app.run.model!.load()
  const tokens = Int32Array.of(tokenizer.startOfText, ...tokenizer.encode(text))
  const T = tokens.length
  const workspace = createWorkspace(model, 1, T)
  const targets = new Int32Array(T).fill(-1)
  forward(model, workspace, { tokens, targets, starts: new Int32Array(T) })
  const codes = await encode(sae, workspace.activations[sae.hookName])
  const logits = await model.kernels.readF32(workspace.logits)
  freeWorkspace(model, workspace)

  const run = await textRun({ text, top: 50, limit: 500, features: [3, 1] })
  assert.equal(run.truncated, false)
  assert.deepEqual(
    run.segments.flatMap((segment) => segment.tokens),
    [...tokens.subarray(1)],
  )
  let at = 1
  for (const [i, segment] of run.segments.entries()) {
    const expected = new Map<number, number>()
    let loss = 0
    for (let t = at; t < at + segment.tokens.length; t++) {
      const row = logits.subarray((t - 1) * model.config.vocabularySize, t * model.config.vocabularySize)
      loss += Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[tokens[t]]
      for (let e = codes.rowOffsets[t]; e < codes.rowOffsets[t + 1]; e++)
        expected.set(codes.featureIds[e], Math.max(expected.get(codes.featureIds[e]) ?? 0, codes.values[e]))
    }
    assert.ok(close(segment.loss!, loss), `${segment.loss}, expected ${loss}`)
    assert.equal(segment.top.length, expected.size)
    for (const { feature, activation } of segment.top) assert.ok(close(activation, expected.get(feature)!))
    const values = segment.top.map(({ activation }) => activation)
    assert.deepEqual(
      values,
      values.toSorted((a, b) => b - a),
      'strongest first',
    )
    for (const trace of run.traces)
      assert.ok(close(trace.activations[i], expected.get(trace.feature) ?? 0), `trace of ${trace.feature}`)
    at += segment.tokens.length
  }
  assert.deepEqual(
    run.traces.map(({ feature }) => feature),
    [3, 1],
  )
})

test('characters whose bytes are spread over tokens come whole', async () => {
  const { segments } = await textRun({ text })
  assert.equal(segments.map((segment) => segment.text).join(''), text)
  assert.ok(segments.some((segment) => segment.tokens.length > 1))
})

test('features are ranked by their share of the maximum in the store', async () => {
  const maxima = app.run.index.maxima
  const run = await textRun({ text, limit: 500, top: 50 })
  const shares = run.features.map(({ relative }) => relative ?? -1)
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => b - a),
  )
  for (const { feature, activation, relative, segment, segments } of run.features) {
    const of = run.segments.map(({ top }) => top.find((one) => one.feature === feature)?.activation ?? 0)
    assert.equal(activation, Math.max(...of))
    assert.equal(of[segment], activation)
    assert.equal(segments, of.filter((value) => value > 0).length)
    assert.ok(maxima[feature] > 0 ? close(relative!, activation / maxima[feature]) : relative === null)
  }
  const { max } = await app.run.store.get(run.features[0].feature)
  assert.equal(max, maxima[run.features[0].feature])
})

test('a text longer than the context is cut, and the answer says so', async () => {
  const run = await textRun({ text: 'Line 1 says hello. '.repeat(20) })
  assert.ok(run.truncated)
  assert.equal(run.context, 16)
  assert.equal(run.tokens, 15)
  assert.equal((await textRun({ text: 'x'.repeat(20_000) })).tokens, 15)
})

test('the tokens that the model expects next come most probable first', async () => {
  const { next } = await textRun({ text })
  const shares = next.map(({ probability }) => probability)
  assert.equal(next.length, 10)
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => b - a),
  )
})

test('a request that makes no sense is told what was expected', async () => {
  const bad: [object | string, RegExp][] = [
    [{}, /text/],
    [{ text: '' }, /text/],
    [{ text: 'x'.repeat(20_001) }, /text/],
    [{ text: 'x', features: [-1] }, /features/],
    [{ text: 'x', more: 1 }, /more/],
    ['{"text":', /JSON/i],
  ]
  for (const [body, message] of bad) {
    const response = await app.post('/text', body)
    assert.equal(response.status, 400)
    assert.match((await errorOf(response)).message, message)
  }
  const response = await app.post('/text', { text: 'x', features: [features] })
  assert.equal(response.status, 404)
  assert.match((await errorOf(response)).message, /24/)
})

test('attribution names target and features, and takes the target as text or number', async () => {
  const { tokenizer } = await app.run.model!.load()
  const [target] = tokenizer.encode(' ')
  const answer = async (body: object): Promise<Attribution> => {
    const response = await app.post('/attribution', { text, verify: 2, ...body })
    assert.equal(response.status, 200)
    return attributionSchema.parse(await response.json())
  }
  const found = await answer({ target: ' ' })
  assert.deepEqual(found, await answer({ target }))
  assert.equal(found.target.id, target)
  assert.equal(found.segments.map((segment) => segment.text).join(''), text)
  assert.ok(
    found.features.length > 2 && found.features[1].ablation !== null && found.features[2].ablation === null,
  )
  const against = await answer({ target, against: target })
  assert.equal(against.value, 0, 'no difference between a logit and itself')

  const several = await app.post('/attribution', { text, target: 'שלום שלום' })
  assert.equal(several.status, 400)
  assert.match((await errorOf(several)).message, /target: expected one token/)
  const outside = await app.post('/attribution', { text, target: 5000 })
  assert.match((await errorOf(outside)).message, /target: expected a token from 0/)
})

test('a full queue answers 503 and says when to come again', async (t) => {
  const queue = createJobQueue({ mostWaiting: 1 })
  const { post } = await modelApp(t, { queue })
  const end = gate()
  const { signal } = new AbortController()
  const first = queue.run({ lane: 'text', signal }, () => end.promise)
  const second = post('/text', { text })
  while (queue.waiting === 0) await new Promise(setImmediate)
  const refused = await post('/text', { text })
  assert.equal(refused.status, 503)
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  assert.equal((await errorOf(refused)).code, 'busy')
  end.resolve()
  await first
  assert.equal((await second).status, 200)
})

test('a client that leaves while its text waits leaves no place taken', async (t) => {
  const { post, queue } = await modelApp(t)
  const end = gate()
  const first = queue.run({ lane: 'text', signal: new AbortController().signal }, () => end.promise)
  const leaving = new AbortController()
  const second = post('/text', { text }, leaving.signal)
  while (queue.waiting === 0) await new Promise(setImmediate)
  leaving.abort()
  assert.equal((await second).status, 503)
  assert.equal(queue.waiting, 0)
  end.resolve()
  await first
})

test('a text leaves no tensor behind', async () => {
  await textRun({ text })
  const before = app.kernels.live()
  await textRun({ text: 'Line 2' })
  await app.post('/attribution', { text, target: ' ', verify: 3 })
  assert.equal(app.kernels.live(), before)
})

test('loading that fails is tried again by the next request', async (t) => {
  let tries = 0
  const kernels = async () => {
    if (tries++ === 0) throw new MonosemError('busy', 'not now')
    return createReferenceKernels()
  }
  const { post } = await modelApp(t, { kernels })
  const [a, b] = await Promise.all([post('/text', { text }), post('/text', { text })])
  assert.deepEqual([a.status, b.status], [503, 503])
  assert.equal(tries, 1, 'both waited for the same')
  assert.equal((await post('/text', { text })).status, 200)
})

test('a run without an autoencoder says what it needs; one with another autoencoder says that', async (t) => {
  const without = await modelApp(t, { prepare: (root) => rm(join(root, 'sae'), { recursive: true }) })
  const missing = await without.post('/text', { text })
  assert.equal(missing.status, 404)
  assert.match((await errorOf(missing)).hint!, /model and sae/)
  const other = await modelApp(t, {
    prepare: async (root) => {
      await rm(join(root, 'sae'), { recursive: true })
      await writeSae(join(root, 'sae'), randomArrays(smallFeatures, 12, 5))
    },
  })
  const refused = await other.post('/text', { text })
  assert.equal(refused.status, 400)
  assert.match((await errorOf(refused)).message, /was not made from the sae/)
})
