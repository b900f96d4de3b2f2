import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { encodedWindows } from '../../src/eval/encoded-windows.js'
import { collectEvidence, type EvidenceRequest } from '../../src/explain/collect-evidence.js'
import { cropExample } from '../../src/explain/crop.js'
import type { Example, FeatureEvidence } from '../../src/explain/evidence.js'
import { evidenceConfigSchema, exampleCounts } from '../../src/explain/evidence-config.js'
import { loadKernels } from '../../src/kernels/load.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { pieceTokenizer, tinySplit } from '../model/tiny-corpus.js'
import { TINY, tinyModel } from '../model/tiny-model.js'

const kernels = await loadKernels({ threads: 1 })
const model = await tinyModel(kernels, { ...TINY, context: 24 })
const sae = saeOf(kernels, randomArrays(10, TINY.dMlp), TINY.dMlp, 'blocks.0.mlp.hook_post')
const tokenizer = pieceTokenizer(Array.from({ length: 10 }, (_, i) => [97 + i]))
const request: EvidenceRequest = {
  model,
  sae,
  corpus: { train: tinySplit('train', 9000, 11), validation: tinySplit('validation', 6000, 11), tokenizer },
  features: [7, 0, 3, 7],
  neurons: true,
  nearest: (feature) => [(feature + 1) % 10, (feature + 2) % 10],
}
const config = evidenceConfigSchema.parse({ contextBefore: 8, contextAfter: 6 })
const evidence = await collectEvidence(config, request)
const all: FeatureEvidence[] = [
  ...evidence.features.ids.map(evidence.features.get),
  ...(evidence.neurons?.ids.map((id) => evidence.neurons?.get(id) as FeatureEvidence) ?? []),
]

const total = ({
  top,
  intervals,
  perInterval,
  random,
  outOfContext,
}: ReturnType<typeof exampleCounts>['score']) => top + intervals * perInterval + random + outOfContext

test('the defaults are the counts of the protocol: 49 examples to explain, 60 of 9 tokens to predict', () => {
  const { explain, score } = exampleCounts(evidenceConfigSchema.parse({}))
  assert.equal(total(explain), 49)
  assert.equal(total(score), 60)
  assert.deepEqual([explain.top, explain.random, explain.outOfContext, explain.perInterval], [10, 5, 10, 2])
  assert.deepEqual([score.top, score.random, score.outOfContext, score.intervals], [6, 10, 20, 12])
  assert.equal(evidenceConfigSchema.parse({}).predictTokens, 9)
})

test('every asked feature and every neuron is evidence or counted as dropped, once', () => {
  const { features, neurons } = evidence
  assert.deepEqual([...features.ids, ...features.dropped.map(({ id }) => id)].sort(), [0, 3, 7])
  assert.equal((neurons?.ids.length ?? 0) + (neurons?.dropped.length ?? 0), TINY.dMlp)
  assert.ok(features.ids.length > 0 && (neurons?.ids.length ?? 0) > 0)
})

test('explaining text is training text, scoring text is validation text, and no group is larger than asked', () => {
  const { explain, score } = exampleCounts(config)
  const count = (examples: readonly Example[], group: string) =>
    examples.filter((example) => example.group === group).length
  for (const unit of all) {
    assert.ok(unit.explain.every(({ split }) => split === 'train'))
    assert.ok(unit.score.every(({ split }) => split === 'validation'))
    for (const [set, counts] of [
      [unit.explain, explain],
      [unit.score, score],
    ] as const) {
      assert.ok(count(set, 'top') <= counts.top && count(set, 'top') > 0)
      assert.ok(count(set, 'random') <= counts.random)
      assert.ok(count(set, 'out-of-context') <= counts.outOfContext)
      for (let i = 0; i < counts.intervals; i++)
        assert.ok(set.filter(({ interval }) => interval === i).length <= counts.perInterval)
    }
  }
})

test('no two examples of a unit share the tokens around their middle, in one set or across the two', () => {
  for (const { explain, score } of all) {
    const keys = [...explain, ...score].map((example) =>
      cropExample(example, config.predictTokens).tokens.join(' '),
    )
    assert.equal(new Set(keys).size, keys.length)
  }
})

test('an example lies where it says, and holds what the autoencoder gives there', async () => {
  const { train } = request.corpus
  const unit = evidence.features.get(evidence.features.ids[0])
  const example = unit.explain[0]
  const at = train.documentStarts[example.document] + example.position
  assert.deepEqual(
    [...train.tokens.subarray(at - example.tokenIndex, at - example.tokenIndex + example.tokens.length)],
    [...example.tokens],
  )
  const codesAt = await activationsAround(at - example.tokenIndex, example.tokens.length, unit.feature)
  example.activations.forEach((value, i) => {
    assert.ok(Math.abs(value - codesAt[i]) < 1e-5)
  })
})

/** The slow way: one window on its own. */
async function activationsAround(first: number, length: number, feature: number): Promise<number[]> {
  const { train } = request.corpus
  const window = Math.floor(first / 24)
  const values = new Array<number>(24).fill(0)
  const options = {
    model,
    sae,
    split: train,
    startOfText: 0,
    windows: Int32Array.of(window),
    batchWindows: 1,
  }
  for await (const { rows, codes } of encodedWindows(options))
    rows.forEach((row, i) => {
      for (let e = codes.rowOffsets[i]; e < codes.rowOffsets[i + 1]; e++)
        if (codes.featureIds[e] === feature) values[row] = codes.values[e]
    })
  return values.slice(first - window * 24, first - window * 24 + length)
}

test('groups keep their promise: active, in the interval, or inactive on the middle token', () => {
  for (const { explain, score, max } of all)
    for (const example of [...explain, ...score]) {
      const middle = example.activations[example.tokenIndex]
      if (example.group === 'top' || example.group === 'interval') assert.ok(middle > 0)
      if (example.group === 'out-of-context' || example.group === 'neighbour') assert.equal(middle, 0)
      if (example.group === 'interval' && example.split === 'train')
        assert.equal(example.interval, Math.ceil((middle / max) * config.intervals) - 1)
    }
  const groups = new Set(all.flatMap(({ score }) => score.map(({ group }) => group)))
  assert.deepEqual([...groups].sort(), ['interval', 'neighbour', 'out-of-context', 'random', 'top'])
})

test('the same seed gives the same evidence, whatever else is asked for', async () => {
  const id = evidence.features.ids[0]
  const again = await collectEvidence(config, { ...request, features: [id], neurons: false })
  assert.deepEqual(again.features.get(id), evidence.features.get(id))
  const other = await collectEvidence({ ...config, seed: 1 }, { ...request, neurons: false })
  assert.notDeepEqual(other.features.get(id), evidence.features.get(id))
})

test('a feature with too few examples is dropped with its counts, and has no evidence', async () => {
  const few = await collectEvidence({ ...config, minExamples: 1_000_000 }, { ...request, neurons: false })
  assert.deepEqual(few.features.ids, [])
  assert.ok(few.features.dropped.every(({ reason, explainFires }) => reason === 'dead' || explainFires > 0))
  assert.throws(
    () => few.features.get(0),
    (error) => error instanceof MonosemError && error.code === 'missing',
  )
})

test('a feature that the autoencoder does not have is refused', async () => {
  for (const id of [10, -1, 1.5])
    await assert.rejects(
      collectEvidence(config, { ...request, features: [id] }),
      (error) => error instanceof MonosemError && /from 0 to 9/.test(error.message),
    )
})

test('a crop is centred on its token, and moved where the text ends', () => {
  const example = { ...all[0].explain[0], tokens: [1, 2, 3, 4, 5, 6, 7], activations: [0, 0, 0, 1, 0, 2, 0] }
  const crop = (tokenIndex: number, tokens: number) => cropExample({ ...example, tokenIndex }, tokens)
  assert.deepEqual(crop(3, 3).tokens, [3, 4, 5])
  assert.deepEqual(crop(3, 3).activations, [0, 1, 0])
  assert.deepEqual([crop(0, 3).tokens, crop(0, 3).tokenIndex], [[1, 2, 3], 0])
  assert.deepEqual([crop(6, 3).tokens, crop(6, 3).tokenIndex], [[5, 6, 7], 2])
  assert.deepEqual(crop(2, 9).tokens, example.tokens)
})
