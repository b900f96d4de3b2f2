import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { evaluateModel } from '../../src/model/evaluate-model.js'
import { trainNgram } from '../../src/model/ngram.js'
import { createTransformer } from '../../src/model/transformer.js'
import { pieceTokenizer, tinySplit } from './tiny-corpus.js'

const kernels = await loadKernels()
const V = 9
const T = 8
/** Token i > 0 is i bytes long. */
const tokenizer = pieceTokenizer(Array.from({ length: V - 1 }, (_, i) => new Array(i + 1).fill(97)))
const train = tinySplit('train', 2000, V)
const split = tinySplit('validation', T * 10 + 1, V)
const ngram = trainNgram(train.tokens, V, 0)

/** A model that finds all tokens equally likely. */
function uniformModel() {
  const model = createTransformer(
    kernels,
    { layers: 1, dModel: 4, heads: 1, dMlp: 4, context: T, vocabularySize: V },
    0,
  )
  kernels.fill(model.params['unembed.W_U'], 0)
  return model
}

/** Every next token inside a document. */
const targets = Array.from(split.tokens.subarray(1), (token, i) => ({
  previous: split.tokens[i],
  token,
})).filter(({ token }) => token !== 0)

test('all three losses are means over the same targets, and bits are counted per byte of those', async () => {
  const result = await evaluateModel(uniformModel(), ngram, split, tokenizer, { evalTokens: 0, batchSize: 4 })
  const mean = (f: (t: { previous: number; token: number }) => number) =>
    targets.reduce((sum, t) => sum + f(t), 0) / targets.length
  assert.equal(result.valTokens, targets.length)
  assert.ok(Math.abs(result.valLoss - Math.log(V)) < 1e-5)
  assert.ok(Math.abs(result.bigramLoss + mean((t) => ngram.bigram(t.previous, t.token))) < 1e-9)
  assert.ok(Math.abs(result.unigramLoss + mean((t) => ngram.unigram(t.token))) < 1e-9)
  const bytes = targets.reduce((sum, { token }) => sum + token, 0)
  assert.ok(Math.abs(result.bitsPerByte - (Math.log2(V) * targets.length) / bytes) < 1e-5)
})

test('the result does not depend on how windows are put into batches', async () => {
  const model = createTransformer(
    kernels,
    { layers: 1, dModel: 4, heads: 1, dMlp: 4, context: T, vocabularySize: V },
    1,
  )
  const run = (batchSize: number) =>
    evaluateModel(model, ngram, split, tokenizer, { evalTokens: 0, batchSize })
  const [one, three, all] = [await run(1), await run(3), await run(64)]
  assert.equal(one.valTokens, three.valTokens)
  assert.ok(Math.abs(one.valLoss - three.valLoss) < 1e-9)
  assert.ok(Math.abs(one.valLoss - all.valLoss) < 1e-9)
})

test('evalTokens limits the windows', async () => {
  const options = { evalTokens: 3 * T, batchSize: 2 }
  const result = await evaluateModel(uniformModel(), ngram, split, tokenizer, options)
  assert.ok(result.valTokens <= 3 * T && result.valTokens > 2 * T - 6)
})

test('a split without a whole window is refused', async () => {
  const short = { ...split, tokens: split.tokens.subarray(0, T) }
  await assert.rejects(
    evaluateModel(uniformModel(), ngram, short, tokenizer, { evalTokens: 0, batchSize: 2 }),
    { code: 'config', message: /shorter than one window/ },
  )
})
