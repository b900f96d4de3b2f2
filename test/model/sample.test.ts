import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { chooseToken } from '../../src/model/choose-token.js'
import { sample } from '../../src/model/sample.js'
import type { SampleConfig } from '../../src/model/sample-config.js'
import { createTransformer, type Transformer } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import { cyclicModel, pieceTokenizer } from './tiny-corpus.js'

const kernels = await loadKernels()
const letters = pieceTokenizer([...'abcdefg'].map((letter) => [letter.charCodeAt(0)]))

async function pieces(
  model: Transformer,
  options: Partial<SampleConfig>,
  tokenizer = letters,
): Promise<string[]> {
  const result: string[] = []
  for await (const piece of sample(model, tokenizer, options)) result.push(piece)
  return result
}

const randomModel = () =>
  createTransformer(kernels, { layers: 1, dModel: 8, heads: 2, dMlp: 8, context: 5, vocabularySize: 8 }, 3)

test('the same seed gives the same text and another seed another, also beyond the context', async () => {
  const options = { maxTokens: 40, temperature: 1, topP: 1, prompt: 'abc' }
  const text = async (seed: number) => (await pieces(randomModel(), { ...options, seed })).join('')
  assert.equal(await text(1), await text(1))
  assert.notEqual(await text(1), await text(2))
})

test('temperature 0 follows the most likely token from the prompt on', async () => {
  const model = cyclicModel(kernels, [1, 2, 3, 4, 5, 6, 7, 1])
  assert.deepEqual(await pieces(model, { temperature: 0, prompt: 'cd', maxTokens: 6 }), [...'efgabc'])
  assert.deepEqual(
    await pieces(model, { temperature: 0, maxTokens: 2 }),
    ['a', 'b'],
    'a document starts with a',
  )
})

test('the text ends where the model ends the document', async () => {
  const model = cyclicModel(kernels, [1, 2, 3, 0, 1, 1, 1, 1])
  assert.deepEqual(await pieces(model, { maxTokens: 100, temperature: 0.5 }), ['a', 'b', 'c'])
})

test('a text begins with one token and ends with another, where the tokenizer has two', async () => {
  const model = cyclicModel(kernels, [1, 2, 3, 4, 5, 0, 7, 1])
  const own = { ...letters, startOfText: 6, endOfText: 3, endTokens: new Set([3]) }
  // 6 is followed by 7 (g), 7 by 1 (a), 2 (b), 3: the end.
  const options = { temperature: 0, maxTokens: 100 }
  assert.deepEqual(await pieces(model, options, own), ['g', 'a', 'b'])
  // Models of chats end at one of several tokens.
  assert.deepEqual(await pieces(model, options, { ...own, endTokens: new Set([3, 1]) }), ['g'])
  // Without an end, where another text would begin: 0.
  const endless = { ...letters, startOfText: 0, endOfText: 7, endTokens: new Set([7]) }
  assert.deepEqual(await pieces(model, options, endless), [...'abcde'])
})

test('pieces are whole characters, and an unfinished one at the end is marked', async () => {
  const euro = pieceTokenizer([[0xe2], [0x82], [0xac]])
  const model = cyclicModel(kernels, [1, 2, 3, 1])
  assert.deepEqual(await pieces(model, { temperature: 0, maxTokens: 6 }, euro), ['€', '€'])
  assert.deepEqual(await pieces(model, { temperature: 0, maxTokens: 5 }, euro), ['€', '\uFFFD'])
})

test('options out of range and an aborted signal are refused', async () => {
  const model = randomModel()
  await assert.rejects(pieces(model, { temperature: -1 }), { code: 'config', message: /temperature/ })
  await assert.rejects(pieces(model, { topP: 0 }), { code: 'config', message: /topP/ })
  await assert.rejects(pieces(model, { maxTokens: 0 }), { code: 'config', message: /maxTokens/ })
  const stopped = sample(model, letters, {}, { signal: AbortSignal.abort() })
  await assert.rejects(stopped.next(), { code: 'interrupted' })
})

test('topP keeps the smallest set of tokens that reaches it', () => {
  const logits = Float32Array.from([0.2, 0.5, 0.3], Math.log)
  const drawn = (topP: number) => {
    const random = new Random(1)
    return new Set(Array.from({ length: 300 }, () => chooseToken(logits, { temperature: 1, topP }, random)))
  }
  assert.deepEqual(drawn(0.4), new Set([1]))
  assert.deepEqual(drawn(0.7), new Set([1, 2]))
  assert.deepEqual(drawn(1), new Set([0, 1, 2]))
})

test('topK keeps the k most likely tokens, of equal ones the lower ids, and topP a share of them', () => {
  const logits = Float32Array.from([0.1, 0.3, 0.2, 0.3, 0.1], Math.log)
  const drawn = (topK: number, topP = 1) => {
    const random = new Random(1)
    const options = { temperature: 1, topK, topP }
    return new Set(Array.from({ length: 300 }, () => chooseToken(logits, options, random)))
  }
  assert.deepEqual(drawn(1), new Set([1]))
  assert.deepEqual(drawn(3), new Set([1, 3, 2]))
  assert.deepEqual(drawn(4), new Set([0, 1, 2, 3]))
  for (const all of [0, 5, 99]) assert.deepEqual(drawn(all), new Set([0, 1, 2, 3, 4]))
  assert.deepEqual(drawn(3, 0.7), new Set([1, 3]), '0.6 of 0.8')
})

test('tokens are drawn as often as their probability says, sharpened by temperature', () => {
  const logits = Float32Array.from([0.2, 0.8], Math.log)
  const share = (temperature: number) => {
    const random = new Random(1)
    let ones = 0
    for (let i = 0; i < 4000; i++) ones += chooseToken(logits, { temperature, topP: 1 }, random)
    return ones / 4000
  }
  assert.ok(Math.abs(share(1) - 0.8) < 0.02)
  assert.ok(Math.abs(share(0.5) - 0.64 / 0.68) < 0.02)
  assert.equal(chooseToken(Float32Array.of(1, 3, 3), { temperature: 0, topP: 1 }, new Random(1)), 1)
})
