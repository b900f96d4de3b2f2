import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openExplanations } from '../../src/explain/explanations.js'
import {
  describeSource,
  firstTexts,
  readFeatureExplanations,
} from '../../src/explain/feature-explanations.js'
import { temporaryDirectory } from '../temporary-directory.js'

const score = (scorer: string, value: number | null) => ({ scorer, value, reason: null, n: 3, details: {} })

test('what people wrote comes first, then the newest of each explainer', async (t) => {
  const root = await temporaryDirectory(t)
  const features = join(root, 'features')
  await mkdir(features)
  await writeFile(join(features, 'manifest.json'), '{}')
  const directory = join(root, 'explanations')
  assert.equal((await readFeatureExplanations(directory, features)).size, 0)
  assert.ok(!existsSync(directory), 'reading makes nothing')

  const store = await openExplanations(directory, features)
  const rows = [
    [1, 'user', 'mine'],
    [1, 'statistics', 'old'],
    [1, 'statistics', 'new'],
    [1, 'user', 'mine too'],
    [1, 'user', 'mine'],
    [2, 'statistics', 'other'],
  ] as const
  await store.append(
    rows.map(([feature, explainer, text]) => ({
      ...{ feature, explainer, text, configuration: null, examples: null, scores: [] },
    })),
  )
  const found = await readFeatureExplanations(directory, features)
  assert.deepEqual(
    found.get(1)?.map(({ text }) => text),
    ['mine', 'mine too', 'new'],
  )
  assert.deepEqual([...firstTexts(found)].sort(), [
    [1, 'mine'],
    [2, 'other'],
  ])
  assert.deepEqual([...(await readFeatureExplanations(directory, features, [2])).keys()], [2])
  assert.equal((await readFeatureExplanations(directory, features, [])).size, 0)
  await writeFile(join(features, 'manifest.json'), '{ }')
  await assert.rejects(readFeatureExplanations(directory, features), {
    code: 'config',
    message: /other features/,
  })
})

test('a source is who made it and its own scores, not those it is compared with', () => {
  const scores = [score('spearman', 0.912), score('neuron', 0.3), score('detection', null)]
  assert.equal(describeSource({ explainer: 'statistics', scores }), 'by statistics; spearman 0.91')
  assert.equal(describeSource({ explainer: 'user', scores: [] }), 'by hand')
})
