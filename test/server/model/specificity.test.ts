import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCorpus } from '../../../src/corpus/corpus.js'
import { runCaseStudiesStage } from '../../../src/interp/case-studies.js'
import { caseStudiesConfigSchema } from '../../../src/interp/case-studies-config.js'
import { measureSpecificity } from '../../../src/interp/measure-specificity.js'
import { builtInPredicates } from '../../../src/interp/predicates.js'
import { specificityConfigSchema } from '../../../src/interp/specificity-config.js'
import { predicateOf } from '../../../src/server/model/concept.js'
import { createJobQueue } from '../../../src/server/model/job-queue.js'
import {
  type ErrorBody,
  type Specificity,
  specificityListSchema,
  specificitySchema,
} from '../../../src/server/protocol.js'
import { context, smallFeatures } from '../../small-run.js'
import { fileLifetime } from '../../temporary-directory.js'
import { modelApp } from '../model-app.js'

const app = await modelApp(fileLifetime(), {
  prepare: (root) => {
    const of = (role: string) => join(root, role)
    const config = caseStudiesConfigSchema.parse({ names: ['hebrew'], minPositives: 1, tokens: 2000 })
    return runCaseStudiesStage(
      config,
      { corpus: of('corpus'), model: of('model'), sae: of('sae'), out: of('case-studies') },
      context,
    )
  },
})
const path = (feature: number): string => `/features/${feature}/specificity`
const arabic = { concept: { kind: 'named', name: 'arabic' }, tokens: 1500 }

async function measured(feature: number, body: object): Promise<Specificity> {
  const response = await app.post(path(feature), body)
  assert.equal(response.status, 200)
  return specificitySchema.parse(await response.json())
}

async function known(feature: number): Promise<Specificity[]> {
  return specificityListSchema.parse(await (await app.get(path(feature))).json()).measured
}

test('a built-in concept, its script and its expression measure what the library measures', async () => {
  const { model, sae } = await app.run.model!.load()
  const corpus = await openCorpus(join(app.root, 'corpus'))
  const config = specificityConfigSchema.parse({ tokens: 1500 })
  const [expected] = await measureSpecificity(config, [1], builtInPredicates[0], { model, sae, corpus })
  assert.ok(expected.positives > 0 && expected.fires > 0)
  const same = ({ tokens, positives, fires, max, correlation, columns }: Specificity | typeof expected) => ({
    ...{ tokens, positives, fires, max, correlation, columns },
  })
  const found = await measured(1, arabic)
  assert.deepEqual(same(found), same(expected))
  assert.equal(found.levels.length, expected.intervals.length)
  assert.deepEqual(
    found.levels.map(({ tokens, holds }) => [tokens, holds]),
    expected.intervals.map(({ within }) => [within.tokens, within.precision]),
  )
  for (const concept of [
    { kind: 'script', script: 'Arabic' },
    { kind: 'regex', regex: '[\\x{600}-\\x{6ff}]+' },
  ])
    assert.deepEqual(same(await measured(1, { ...arabic, concept })), same(expected))
})

test('what was measured is known, newest first and once for each concept', async () => {
  await measured(2, arabic)
  await measured(2, { ...arabic, concept: { kind: 'regex', regex: 'says', ignoreCase: true } })
  const last = await measured(2, { ...arabic, tokens: 1000 })
  const own = (await known(2)).filter(({ source }) => source === 'measured')
  assert.deepEqual(
    own.map(({ concept }) => concept),
    ['arabic', '/says/i'],
  )
  assert.deepEqual(own[0], last)
})

test('the case studies of a run are known without measuring', async () => {
  const all = (await Promise.all(Array.from({ length: smallFeatures }, (_, i) => known(i)))).flat()
  const [study, ...others] = all.filter(({ source }) => source === 'case-study')
  assert.equal(others.length, 0)
  assert.equal(study.concept, 'hebrew')
  assert.ok(study.levels.length > 0 && study.levels[0].above === 0 && study.levels[1].above > 0)
})

test('an expression that would take for ever elsewhere takes no longer than its text', () => {
  const bomb = predicateOf({ kind: 'regex', regex: '(a+)+$', ignoreCase: false })
  assert.deepEqual(bomb.spans(`${'a'.repeat(50_000)}!`), [])
  const names = predicateOf({ kind: 'regex', regex: 'b*', ignoreCase: true })
  assert.deepEqual(names.spans('😀Bb-b'), [
    { first: 2, end: 4 },
    { first: 5, end: 6 },
  ])
})

test('what is no concept is refused with what would be one', async () => {
  const bad: [object, number, RegExp][] = [
    [{ kind: 'regex', regex: '(?=x)y' }, 400, /RE2 knows no look-around/],
    [{ kind: 'regex', regex: '(' }, 400, /missing closing/],
    [{ kind: 'script', script: 'Klingon' }, 400, /Klingon/],
    [{ kind: 'named', name: 'nobody' }, 400, /arabic, hebrew, dna, base64/],
    [{ kind: 'colour' }, 400, /concept/],
  ]
  for (const [concept, status, message] of bad) {
    const response = await app.post(path(1), { concept })
    assert.equal(response.status, status)
    const { error } = (await response.json()) as ErrorBody
    assert.match(`${error.message} ${error.hint}`, message)
  }
  assert.equal((await app.post(path(99), arabic)).status, 404)
  assert.equal((await app.get(path(99))).status, 404)
})

test('a client that leaves ends the measurement, and leaves no tensor behind', async () => {
  await measured(1, arabic)
  const before = app.kernels.live()
  const leaving = new AbortController()
  const response = app.post(path(3), { ...arabic, tokens: 100_000 }, leaving.signal)
  // Tensors of the measurement: it is under way.
  while (app.kernels.live() === before) await new Promise(setImmediate)
  leaving.abort()
  assert.equal((await response).status, 503)
  assert.equal(app.kernels.live(), before)
  assert.equal((await measured(3, { ...arabic, tokens: 1000 })).feature, 3)
})

test('an expression that takes too long is stopped with its thread', async (t) => {
  const slow = await modelApp(t, { queue: createJobQueue({ seconds: { measure: 0.001 } }) })
  const response = await slow.post(path(1), {
    concept: { kind: 'regex', regex: '(.*a){50}$' },
    tokens: 1_000_000,
  })
  assert.equal(response.status, 503)
  assert.match(((await response.json()) as ErrorBody).error.message, /stopped after 0.001 seconds/)
  assert.equal((await slow.post('/text', { text: 'hello' })).status, 200)
})

test('a run without its corpus says what it needs', async (t) => {
  const without = await modelApp(t, { prepare: (root) => rm(join(root, 'corpus'), { recursive: true }) })
  const response = await without.post(path(1), arabic)
  assert.equal(response.status, 404)
  assert.match(((await response.json()) as ErrorBody).error.hint!, /folder corpus/)
})
