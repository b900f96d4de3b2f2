import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Example, ScoredExample } from '../../src/explain/evidence.js'
import { openExplanations } from '../../src/explain/explanations.js'
import { packExamples, scoredExamples, unpackExamples } from '../../src/explain/scored-examples.js'
import { temporaryDirectory } from '../temporary-directory.js'

const example = (tokens: number[], activations: number[]): Example => ({
  ...{ group: 'interval', interval: 2, split: 'validation', document: 5, position: 40, tokenIndex: 1 },
  ...{ tokens, activations },
})

const scored: ScoredExample[] = [
  {
    ...{ group: 'interval', interval: 2, document: 5, position: 40, tokenIndex: 1 },
    ...{ tokens: [70_000, 3], activations: [0, 9], predictions: [0, 4] },
  },
  {
    ...{ group: 'random', interval: null, document: 0, position: 0, tokenIndex: 0 },
    ...{ tokens: [1, 2, 3], activations: [1, 0, 0], predictions: [9, 0, 0] },
  },
]

test('predictions are handed to the examples that they are of, activations as digits of the maximum', () => {
  const crops = [example([1, 2], [0, 4.5]), example([3, 4, 5], [9, 0.1, -1])]
  const found = scoredExamples(crops, 9, [0, 1, 2, 3, 4])
  assert.deepEqual(
    found.map(({ activations }) => activations),
    [
      [0, 5],
      [9, 1, 0],
    ],
  )
  assert.deepEqual(
    found.map(({ predictions }) => predictions),
    [
      [0, 1],
      [2, 3, 4],
    ],
  )
  assert.deepEqual([found[0].interval, found[0].document, found[0].position], [2, 5, 40])
  assert.equal(scoredExamples(crops, 9, null)[1].predictions, null)
})

test('examples are packed and unpacked without a change', () => {
  assert.deepEqual(unpackExamples(packExamples(scored)), scored)
  const unpredicted = scored.map((one) => ({ ...one, predictions: null }))
  assert.deepEqual(unpackExamples(packExamples(unpredicted)), unpredicted)
  assert.deepEqual(unpackExamples(packExamples([])), [])
  assert.throws(() => unpackExamples(new Uint8Array([1, 2, 3])), { code: 'corrupt' })
})

test('the examples of an explanation are kept with it, or not at all', async (t) => {
  const root = await temporaryDirectory(t)
  const features = join(root, 'features')
  await mkdir(features)
  await writeFile(join(features, 'manifest.json'), '{}')
  const store = await openExplanations(join(root, 'explanations'), features)
  const explanation = { text: 't', explainer: 'statistics', configuration: 'c', examples: 'e', scores: [] }
  await store.append([
    { feature: 1, ...explanation, scored },
    { feature: 2, ...explanation },
  ])
  assert.deepEqual(await store.scoredExamples(1), scored)
  assert.equal(await store.scoredExamples(2), null)
  await assert.rejects(
    store.append([
      { feature: 3, ...explanation, scored },
      { feature: 0.5, ...explanation },
    ]),
  )
  assert.equal(await store.scoredExamples(3), null)
})
