import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenSplit } from '../../src/corpus/corpus.js'
import { caseStudiesConfigSchema } from '../../src/interp/case-studies-config.js'
import { caseStudySample, countHalf, halves, labelledSample } from '../../src/interp/labelled-sample.js'
import { choosePredicates } from '../../src/interp/predicates.js'
import { renderCaseStudies, renderCaseStudy } from '../../src/interp/render-case-studies.js'
import { studyPredicates } from '../../src/interp/study-predicates.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { saeOf, silentArrays } from '../eval/tiny-sae.js'
import { cyclicModel, pieceTokenizer, tinySplit } from '../model/tiny-corpus.js'

const kernels = createReferenceKernels()
// token i is the letter a, b, ... j
const letters = Array.from({ length: 10 }, (_, i) => [0x61 + i])
const tokenizer = pieceTokenizer(letters)
const V = tokenizer.vocabularySize
const corpus = {
  tokenizer,
  train: tinySplit('train', 4000, V),
  validation: tinySplit('validation', 2000, V),
}
const config = caseStudiesConfigSchema.parse({
  names: [],
  patterns: ['bc=[bc]', 'none=z'],
  tokens: 3000,
  batchWindows: 32,
  minPositives: 1,
})

/** The embedding of token i is e_i, so neuron i of hook_embed is "is token i". */
const model = cyclicModel(
  kernels,
  Array.from({ length: V }, (_, i) => (i + 1) % V),
)

/** Feature 0 fires on d; feature 1 on b (2) and c (3); feature 2 on b, c and, weakly, everything else. */
function sae() {
  const wEnc = new Float32Array(3 * V)
  wEnc[0 * V + 4] = 1
  for (const token of [2, 3]) wEnc[1 * V + token] = 2
  for (let token = 1; token < V; token++) wEnc[2 * V + token] = token === 2 || token === 3 ? 3 : 1
  const arrays = { wEnc, bEnc: new Float32Array(3), wDec: wEnc.slice(), bDec: new Float32Array(V) }
  return saeOf(kernels, arrays, V, 'hook_embed')
}

test('the feature that is the predicate is found, and beats every single neuron', async () => {
  const [study] = await studyPredicates(config, { model, sae: sae(), corpus })
  assert.equal(study.reason, null)
  assert.equal(study.feature, 1)
  assert.ok(Math.abs((study.correlation ?? 0) - 1) < 1e-9)
  assert.equal(study.precisionAboveHalfMax, 1)
  assert.equal(study.recall, 1)
  assert.ok(study.bestNeuron === 2 || study.bestNeuron === 3)
  assert.ok((study.bestNeuronCorrelation ?? 1) < 0.9 && (study.bestNeuronCorrelation ?? 0) > 0.3)
  assert.equal(study.neuronPrecisionAboveHalfMax, 1)
  assert.ok((study.neuronRecallAboveHalfMax ?? 1) < 0.9)
  assert.equal(study.candidates[0].feature, 1)
  assert.equal(study.candidates[1].feature, 2)
})

test('a feature that also fires weakly elsewhere has low precision at 0 and full precision above half', async () => {
  const weak = sae()
  const wEnc = await kernels.readF32(weak.params.wEnc)
  kernels.write(weak.params.wEnc, wEnc.fill(0, V, 2 * V))
  const [study] = await studyPredicates(config, { model, sae: weak, corpus })
  assert.equal(study.feature, 2)
  assert.equal(study.precisionAboveHalfMax, 1)
  assert.ok((study.levels[0].precision ?? 1) < 0.5)
  assert.equal(study.levels[0].recall, 1)
})

test('a predicate that holds on nothing has a reason and nulls, not zeros', async () => {
  const [, study] = await studyPredicates(config, { model, sae: sae(), corpus })
  assert.match(study.reason ?? '', /no token/)
  assert.equal(study.feature, null)
  assert.equal(study.correlation, null)
  assert.equal(study.bestNeuronCorrelation, null)
  assert.deepEqual(study.levels, [])
})

test('an autoencoder that never fires has a reason and nulls', async () => {
  const silent = saeOf(kernels, silentArrays(3, new Float32Array(V)), V, 'hook_embed')
  const [study] = await studyPredicates(config, { model, sae: silent, corpus })
  assert.match(study.reason ?? '', /no feature correlates/)
  assert.equal(study.feature, null)
})

test('studies are the same for any batch size', async () => {
  const inputs = { model, sae: sae(), corpus }
  const one = await studyPredicates({ ...config, batchWindows: 1 }, inputs)
  assert.deepEqual(await studyPredicates({ ...config, batchWindows: 64 }, inputs), one)
})

test('an autoencoder of another model is refused', async () => {
  const wide = saeOf(
    kernels,
    {
      wEnc: new Float32Array(4),
      bEnc: new Float32Array(1),
      wDec: new Float32Array(4),
      bDec: new Float32Array(4),
    },
    4,
    'hook_embed',
  )
  await assert.rejects(studyPredicates(config, { model, sae: wide, corpus }), { code: 'shape' })
  await assert.rejects(studyPredicates({ ...config, patterns: [] }, { model, sae: sae(), corpus }), {
    code: 'config',
  })
})

const predicates = choosePredicates([], ['bc=[bc]'])
const options = { contextSize: 4, tokens: 2000, predicates, seed: 0 }

/** Index of the document that holds a token. */
const documentOf = (split: TokenSplit, token: number): number =>
  split.documentStarts.filter((start) => start <= token).length - 1

test('labels are exact, and no document counts in both halves', () => {
  const split = corpus.validation
  const sample = labelledSample(split, tokenizer, options)
  const halfOfDocument = new Map<number, string>()
  for (const half of halves)
    for (const window of sample.windows[half])
      for (let token = window * 4; token < window * 4 + 4; token++) {
        if (sample.counted[token] === 0) continue
        assert.notEqual(split.tokens[token], 0)
        assert.equal(sample.labels[0][token], split.tokens[token] === 2 || split.tokens[token] === 3 ? 1 : 0)
        const document = documentOf(split, token)
        assert.equal(halfOfDocument.get(document) ?? half, half)
        halfOfDocument.set(document, half)
      }
  assert.ok(countHalf([sample], 'selection').tokens > 300)
  assert.ok(countHalf([sample], 'heldOut').tokens > 300)
})

test('training text is added only when positives are short and the budget allows', () => {
  const names = (over: Partial<{ tokens: number; minPositives: number }>) =>
    caseStudySample(corpus, { ...options, tokens: 3000, minPositives: 1, ...over }).map(
      ({ split }) => split.name,
    )
  assert.deepEqual(names({}), ['validation'])
  assert.deepEqual(names({ minPositives: 1e6 }), ['validation', 'train'])
  assert.deepEqual(names({ minPositives: 1e6, tokens: 1000 }), ['validation'])
})

test('the table names feature and neuron, and says why a study could not be made', async () => {
  const studies = await studyPredicates(config, { model, sae: sae(), corpus })
  const table = renderCaseStudies(studies)
  assert.match(table, /^bc +[\d,]+ +1 +1\.00 +100\.0% +[\d.]+% +100\.0% +[23] +0\.\d\d +100\.0% +[\d.]+%$/m)
  assert.match(table, /^none: not studied, it holds on no token of the sample$/m)
  assert.match(renderCaseStudy(studies[0]), /^0\.5 max +[\d,]+ +100\.0% +100\.0%/m)
  for (const line of table.split('\n')) assert.ok(displayWidth(line) <= 100, line)
})
