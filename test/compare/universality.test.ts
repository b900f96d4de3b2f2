import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { chooseExamples } from '../../src/compare/choose-examples.js'
import { renderUniversality } from '../../src/compare/render-universality.js'
import { summariseUniversality } from '../../src/compare/summarise-universality.js'
import { type DictionaryOnModel, measureUniversality } from '../../src/compare/universality.js'
import { universalityConfigSchema } from '../../src/compare/universality-config.js'
import type { Comparison, Universality } from '../../src/compare/universality-file.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createTransformer } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import { permuted, randomDictionary, randomSplit, sizes } from './two-models.js'

const kernels = createReferenceKernels()
const split = randomSplit(6400)
const config = universalityConfigSchema.parse({ tokens: 6400, replicates: 100 })

async function compare(
  a: DictionaryOnModel,
  b: DictionaryOnModel,
  options: Partial<typeof config> = {},
): Promise<Universality> {
  const all = { ...config, ...options }
  return summariseUniversality(await measureUniversality(all, { a, b, split, startOfText: 0 }), all)
}

const a = randomDictionary(kernels, 1)
const neurons = new Random(7).permutation(sizes.dMlp)
const features = new Random(8).permutation(48)
let same: Universality
let independent: Universality
before(async () => {
  same = await compare(a, await permuted(kernels, a, neurons, features))
  independent = await compare(a, randomDictionary(kernels, 2))
})

test('the same dictionary with everything in another order is found again, by both similarities', () => {
  const { aToB, bToA, a: side } = same
  assert.ok(side.compared >= 40 && side.compared <= 48)
  let compared = 0
  features.forEach((original, i) => {
    // feature i of B is feature `original` of A
    assert.equal(bToA.fires[i], aToB.fires[original])
    if (aToB.activation.similarity[original] === null) return
    compared++
    assert.equal(aToB.activation.partner[original], i)
    assert.equal(aToB.logitWeights?.partner[original], i)
    assert.equal(bToA.activation.partner[i], original)
    assert.equal(bToA.logitWeights?.partner[i], original)
    for (const { activation, logitWeights } of [aToB, bToA])
      for (const list of [activation.similarity, activation.logitSimilarity, logitWeights?.similarity ?? []])
        assert.ok(Math.abs((list[activation === aToB.activation ? original : i] ?? 0) - 1) < 1e-3)
  })
  assert.equal(compared, side.compared)
  for (const summaries of [same.activation, same.logitWeights as NonNullable<typeof same.logitWeights>])
    for (const name of ['features', 'neurons'] as const)
      assert.ok(Math.abs((summaries[name].median as number) - 1) < 1e-3)
  assert.equal(same.agreement.samePartner, 1)
  assert.equal(same.agreement.mutual, 1)
  assert.ok((same.activation.shuffled.below?.interval?.[0] as number) > 0.5)
})

test('dictionaries that have nothing to do with one another reach the level of chance, and not more', () => {
  const { activation, logitWeights, agreement } = independent
  for (const summaries of [activation, logitWeights as NonNullable<typeof logitWeights>]) {
    const { features, shuffled } = summaries
    const spread = (shuffled.percentiles?.[90] as number) - (shuffled.percentiles?.[10] as number)
    assert.ok(
      Math.abs((features.median as number) - (shuffled.median as number)) < spread,
      `${features.median} ${shuffled.median} ${spread}`,
    )
    assert.ok((features.median as number) < 0.3)
  }
  // what was chosen for being alike on one half is not alike on the other
  assert.ok(Math.abs(activation.features.heldOut?.median as number) < 0.05)
  assert.ok((agreement.samePartner as number) < 0.2)
})

test('medians, percentiles and counts are those of the lists', () => {
  for (const [name, list] of [
    ['features', independent.aToB.activation.similarity],
    ['held out', independent.aToB.activation.heldOut],
  ] as const) {
    const known = list.filter((value) => value !== null).sort((p, q) => p - q)
    const middle = (known[Math.floor((known.length - 1) / 2)] + known[Math.ceil((known.length - 1) / 2)]) / 2
    const { features } = independent.activation
    const median = name === 'features' ? features.median : features.heldOut?.median
    assert.ok(Math.abs((median as number) - middle) < 1e-4, `${name} ${median} ${middle}`)
    if (name === 'features') {
      assert.equal(features.compared, known.length)
      assert.ok(Math.abs((features.percentiles?.[100] as number) - known[known.length - 1]) < 1e-4)
    }
  }
  const { text, density, a: side } = independent
  assert.ok(text.choosing > 3000 && text.heldOut > 3000 && text.heldOutDocuments === 80)
  assert.equal(
    density.reduce((sum, bin) => sum + bin.features, 0),
    side.compared,
  )
})

test('too few features or documents for a claim: null, with the reason', async () => {
  const few = await compare(randomDictionary(kernels, 1, 8), randomDictionary(kernels, 2, 8))
  for (const name of ['features', 'featuresToNeurons', 'shuffled'] as Comparison[]) {
    const { median, interval, reason } = few.activation[name]
    assert.equal(median, null)
    assert.equal(interval, null)
    assert.match(reason as string, /only \d could be compared/)
  }
  assert.equal(few.activation.neurons.below, null)
  assert.equal(few.agreement.samePartner, null)
  assert.match(renderUniversality(few), /underpowered/)
  const rare = await compare(a, a, { minFires: 10_000 })
  assert.deepEqual([rare.a.compared, rare.activation.features.percentiles], [0, null])
  assert.ok(rare.aToB.activation.partner.every((partner) => partner === null))
})

test('NaN among the activations, models of other vocabularies and a single document are refused', async () => {
  const broken = randomDictionary(kernels, 3)
  kernels.fill(broken.model.params['embed.W_E'], Number.NaN)
  await assert.rejects(compare(a, broken), { code: 'diverged', message: /expected finite activations/ })
  const foreign = { ...a, model: createTransformer(kernels, { ...sizes, vocabularySize: 300 }, 1) }
  await assert.rejects(compare(a, foreign), { code: 'config', message: /vocabularies of 3000 and 300/ })
  const one = randomSplit(40)
  await assert.rejects(measureUniversality(config, { a, b: a, split: one, startOfText: 0 }), {
    code: 'config',
    message: /at least 4 documents, .* got 1/,
  })
})

test('examples are the case studies, then the most and the least similar features through the densities', () => {
  const chosen = chooseExamples(
    independent,
    [
      { name: 'arabic', feature: 5 },
      { name: 'dna', feature: null },
    ],
    4,
  )
  const of = (group: string): number[] =>
    chosen.filter((example) => example.group === group).map(({ feature }) => feature)
  assert.deepEqual(of('case studies'), [5])
  assert.equal(of('universal').length, 4)
  assert.equal(new Set(chosen.map(({ feature }) => feature)).size, chosen.length)
  const similarity = (feature: number): number => independent.aToB.activation.heldOut[feature] as number
  const mean = (list: number[]): number => list.reduce((sum, i) => sum + similarity(i), 0) / list.length
  assert.ok(mean(of('universal')) > mean(of('without counterpart')))
  for (const { feature, partner } of chosen)
    assert.equal(partner, independent.aToB.activation.partner[feature])
})
