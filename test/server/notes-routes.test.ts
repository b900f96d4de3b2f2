import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCorpus } from '../../src/corpus/corpus.js'
import { openExplanations } from '../../src/explain/explanations.js'
import { createApp } from '../../src/server/app.js'
import { featureNotesSchema, scoredExamplesSchema } from '../../src/server/protocol.js'
import { openServedRun } from '../../src/server/served-run.js'
import { smallRun, sparseArrays } from '../small-run.js'
import { fakeWebFiles, put } from './fake-app.js'

test('labels, notes and scored examples through the API', async (t) => {
  const { root, paths } = await smallRun(t, { arrays: sparseArrays() })
  const { tokenizer } = await openCorpus(paths.corpus)
  const store = await openExplanations(join(root, 'explanations'), paths.features)
  // Two bytes of one character, then a token of its own.
  const tokens = [...Buffer.from('ש!')].map(
    (byte) =>
      Array.from({ length: tokenizer.vocabularySize }, (_, i) => i).find((token) => {
        const bytes = tokenizer.tokenBytes(token)
        return bytes.length === 1 && bytes[0] === byte
      }) as number,
  )
  const place = { group: 'top' as const, interval: null, document: 4, position: 9, tokenIndex: 1 }
  const scored = [{ ...place, tokens, activations: [2, 9, 0], predictions: [7, 1, 3] }]
  const explanation = { text: 't', explainer: 'statistics', configuration: 'c', examples: 'e', scores: [] }
  await store.append([{ feature: 3, ...explanation, scored }])
  const run = await openServedRun(root, 'demo')
  t.after(() => run.close())
  const app = createApp(new Map([['demo', run]]), await fakeWebFiles(t))
  const path = '/api/v1/runs/demo/features/3'

  const answer = await app.request(`${path}/notes`, put({}, '{"label":" Hebrew ","note":"letters"}'))
  const stored = featureNotesSchema.parse(await answer.json())
  assert.deepEqual([stored.label, stored.note], ['Hebrew', 'letters'])
  assert.deepEqual(featureNotesSchema.parse(await (await app.request(`${path}/notes`)).json()), stored)

  const [{ id, hasExamples }] = stored.explanations
  assert.ok(hasExamples)
  const examples = await (await app.request(`${path}/explanations/${id}/examples`)).json()
  assert.deepEqual(scoredExamplesSchema.parse(examples), {
    explanation: id,
    examples: [
      {
        ...{ group: 'top', interval: null, document: 4, position: 9, focus: 0 },
        ...{ segments: ['ש', '!'], activations: [9, 0], predictions: [7, 3] },
      },
    ],
  })
  for (const missing of ['3/explanations/99/examples', '999/notes', `2/explanations/${id}/examples`])
    assert.equal((await app.request(`/api/v1/runs/demo/features/${missing}`)).status, 404, missing)
  const long = JSON.stringify({ label: 'x'.repeat(201), note: null })
  assert.equal((await app.request(`${path}/notes`, put({}, long))).status, 400)
})
