import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FeatureRow } from '../../src/features/feature-store.js'
import { choosePredicates, parsePredicate } from '../../src/interp/predicates.js'
import { loadKernels } from '../../src/kernels/load.js'
import { silentProgress } from '../../src/progress/progress.js'
import { conceptShare, countConcept } from '../../src/steer/concept-share.js'
import { featureEdits, parseFeatureList } from '../../src/steer/feature-edits.js'
import { conceptFeatures, tryFeatures } from '../../src/steer/find-feature.js'
import { bootstrapShares, measureInfluence } from '../../src/steer/influence.js'
import { parseStrengths } from '../../src/steer/steer-config.js'
import { letters, steeredCycle } from './steered-cycle.js'

const kernels = await loadKernels()
const inputs = steeredCycle(kernels)
const context = { progress: silentProgress }
const [arabic] = choosePredicates(['arabic'], [])

test('a share counts characters, not blanks, and bytes of no character as none of the concept', () => {
  assert.deepEqual(countConcept(arabic, 'ab  نن\n'), { characters: 4, inside: 2 })
  assert.deepEqual(countConcept(arabic, 'ن\ufffd😀'), { characters: 3, inside: 1 })
  assert.deepEqual(countConcept(parsePredicate('all=.+'), '😀a\ufffd'), { characters: 3, inside: 2 })
  assert.equal(
    conceptShare([
      { characters: 4, inside: 2 },
      { characters: 6, inside: 0 },
    ]),
    0.2,
  )
  assert.equal(conceptShare([{ characters: 0, inside: 0 }]), null)
})

test('the interval holds the true share about 95 times in 100, and shrinks to nothing without spread', () => {
  const same = Array.from({ length: 5 }, () => ({ characters: 10, inside: 4 }))
  const { steered, unsteered, difference } = bootstrapShares({ steered: same, unsteered: same }, 200, 1)
  assert.deepEqual(steered, { value: 0.4, low: 0.4, high: 0.4 })
  assert.deepEqual([unsteered, difference?.value], [steered, 0])
  const mixed = Array.from({ length: 40 }, (_, i) => ({ characters: 10, inside: i % 2 === 0 ? 10 : 0 }))
  const interval = bootstrapShares(
    { steered: mixed, unsteered: same.concat(same, same, same, same, same, same, same) },
    4000,
    1,
  ).steered!
  // standard error sqrt(0.25 / 40) = 0.079, times 1.96: 0.155
  assert.ok(
    Math.abs(interval.low - 0.345) < 0.03 && Math.abs(interval.high - 0.655) < 0.03,
    JSON.stringify(interval),
  )
  assert.equal(bootstrapShares({ steered: [], unsteered: [] }, 10, 1).difference, null)
})

const options = {
  scope: { tokens: 'all' } as const,
  concept: parsePredicate('e=e'),
  prompts: ['a', 'bc', 'fg'],
  writing: { maxTokens: 2, temperature: 0, topP: 1, seed: 3 },
}

test('influence compares the concept with and without steering on the same prompts', async () => {
  const edits = await featureEdits(inputs.store, [4], { mode: 'clamp', unit: 'max', strength: 50 })
  const found = await measureInfluence(
    inputs,
    { ...options, edits, keepError: true, samples: 2, resamples: 100 },
    context,
  )
  // after a: bc, after bc: de, after fg: ab
  assert.equal(found.texts, 6)
  assert.equal(found.unsteered!.value, 1 / 6)
  assert.equal(found.steered!.value, 1)
  assert.ok(Math.abs(found.difference!.value - 5 / 6) < 1e-12)
  assert.deepEqual([found.unsteeredTexts, found.steeredTexts], [1 / 3, 1])
  assert.deepEqual(
    found.examples.map(({ prompt, unsteered, steered }) => [prompt, unsteered.text, steered.text]),
    [
      ['a', 'bc', 'ee'],
      ['bc', 'de', 'ee'],
      ['fg', 'ab', 'ee'],
    ],
  )
})

test('of several features the one that brings the concept about is found', async () => {
  const trial = { ...options, mode: 'clamp', unit: 'max', strength: 50 } as const
  const trials = await tryFeatures(inputs, { ...trial, candidates: [2, 4, 6] }, context)
  assert.deepEqual(trials[0], { feature: 4, share: 1 })
  assert.deepEqual(
    trials.map(({ feature }) => feature),
    [4, 2, 6],
  )
  await assert.rejects(tryFeatures(inputs, { ...trial, candidates: [] }, context), {
    code: 'missing',
    message: /no feature to try for e/,
  })
})

test('candidates are live features whose output tokens are of the concept', async () => {
  const row = (feature: number, topTokens: number[], fires = 5): FeatureRow => ({
    ...{ feature, topTokens, fires, density: 0.1, max: 1, mean: 1, topExample: null, singleToken: false },
  })
  const rows = [row(0, [5, 1, 1]), row(1, [5, 5, 1]), row(2, [5, 5, 5], 0), row(3, [5, 5, 5]), row(4, [])]
  const store = { list: () => Promise.resolve(rows) }
  assert.deepEqual(await conceptFeatures(store, letters, options.concept), [3, 1])
  assert.deepEqual(await conceptFeatures(store, letters, options.concept, 0.1), [3, 1, 0])
})

test('strengths count in maxima or in activations, and dead features and bad numbers are refused', async () => {
  const store = {
    get: (feature: number) => Promise.resolve({ fires: feature, max: 2 * feature } as never),
  }
  const edit = async (
    mode: 'clamp' | 'add' | 'ablate' | 'replace',
    unit: 'max' | 'activation',
    strength = 3,
  ) => (await featureEdits(store, [5], { mode, unit, strength }))[0]
  assert.deepEqual(await edit('clamp', 'max'), { feature: 5, kind: 'clamp', value: 30 })
  assert.deepEqual(await edit('add', 'activation', -3), { feature: 5, kind: 'add', value: -3 })
  assert.deepEqual(await edit('ablate', 'max'), { feature: 5, kind: 'clamp', value: 0 })
  assert.deepEqual(await edit('replace', 'activation'), { feature: 5, kind: 'clamp', value: 3 })
  await assert.rejects(edit('clamp', 'max', Number.NaN), { code: 'config', message: /got NaN/ })
  const dead = { code: 'missing', message: /feature 0 is dead/ }
  await assert.rejects(featureEdits(store, [5, 0], { mode: 'clamp', unit: 'max', strength: 1 }), dead)
  await assert.rejects(featureEdits(store, [0], { mode: 'ablate', unit: 'activation', strength: 1 }), dead)
  assert.equal((await featureEdits(store, [0], { mode: 'add', unit: 'activation', strength: 1 })).length, 1)
})

test('lists on the command line are read whole or refused', () => {
  assert.deepEqual(parseFeatureList('3, 14,15'), [3, 14, 15])
  assert.deepEqual(parseStrengths('0,-1.5,10'), [0, -1.5, 10])
  for (const text of ['', '3,', '1.5', '-2', '3 4'])
    assert.throws(() => parseFeatureList(text), { code: 'config', message: /numbers separated by commas/ })
  for (const text of ['', '1,,2', '101', 'NaN', '1;2', 'Infinity'])
    assert.throws(() => parseStrengths(text), { code: 'config', message: /from -100 to 100/ })
})
