import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSampler, trainBpe } from '../../src/corpus/bpe-trainer.js'
import { BYTE_CHARACTERS, bytesToCharacters, splitWords } from '../../src/corpus/byte-level.js'
import { createTokenizer } from '../../src/corpus/tokenizer.js'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { variedTexts } from './varied-texts.js'

const mergesOf = (json: string): Array<[string, string]> => JSON.parse(json).model.merges

/** The definition, recounting every pair in every step. */
function slowMerges(texts: string[], count: number): Array<[string, string]> {
  const words = texts.flatMap((text) =>
    splitWords(text).map((word) => [...bytesToCharacters(Buffer.from(word, 'utf8'))]),
  )
  const order = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))
  const merges: Array<[string, string]> = []
  while (merges.length < count) {
    const counts = new Map<string, number>()
    for (const word of words)
      for (let i = 0; i + 1 < word.length; i++) {
        const key = `${word[i]} ${word[i + 1]}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    const rank = (key: string) => key.split(' ').map((token) => order.get(token) as number)
    const best = [...counts]
      .filter(([key, n]) => n >= 2 && !order.has(key.replace(' ', '')))
      .map(([key, n]) => ({ key, n, rank: rank(key) as [number, number] }))
      .sort((a, b) => b.n - a.n || a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1])[0]
    if (!best) break
    const [left, right] = best.key.split(' ') as [string, string]
    merges.push([left, right])
    order.set(left + right, order.size)
    for (const word of words)
      for (let i = 0; i + 1 < word.length; i++)
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right)
  }
  return merges
}

test('the trained merges are those of recounting every pair in every step', async () => {
  const texts = [...variedTexts().slice(0, 70), 'aaa aaaa aaaaa abab ababab', 'banana bandana '.repeat(5)]
  const json = await trainBpe(texts, { vocabularySize: 257 + 150 })
  assert.deepEqual(mergesOf(json), slowMerges(texts, 150))
})

test('the vocabulary has the chosen size, <|endoftext|> first, then the bytes', async () => {
  const tokenizer = createTokenizer(await trainBpe(variedTexts(), { vocabularySize: 400 }))
  assert.equal(tokenizer.vocabularySize, 400)
  assert.equal(tokenizer.endOfText, 0)
  for (let byte = 0; byte < 256; byte++) assert.deepEqual([...tokenizer.tokenBytes(byte + 1)], [byte])
})

test('the same texts give the same tokenizer', async () => {
  const texts = variedTexts()
  const options = { vocabularySize: 500 }
  assert.equal(await trainBpe(texts, options), await trainBpe(texts, options))
})

test('a vocabulary larger than the text supports is an error that says how large it may be', async () => {
  const texts = ['the cat sat on the mat, the cat sat']
  let possible = 0
  await assert.rejects(trainBpe(texts, { vocabularySize: 4096 }), (error) => {
    assert.ok(error instanceof MonosemError && error.code === 'config')
    possible = Number(/at most (\d+)/.exec(error.hint ?? '')?.[1])
    return true
  })
  assert.equal(mergesOf(await trainBpe(texts, { vocabularySize: possible })).length, possible - 257)
  await assert.rejects(trainBpe(texts, { vocabularySize: possible + 1 }))
})

test('the sampler keeps whole documents of the smallest ranks within its budget', () => {
  const sampler = createSampler(25)
  const offer = (text: string, rank: number) => sampler.offer({ kind: '', source: '', group: '', text }, rank)
  offer('c'.repeat(10), 3)
  offer('a'.repeat(10), 1)
  offer('d'.repeat(10), 4)
  offer('b'.repeat(10), 2)
  offer('e'.repeat(30), 5)
  assert.deepEqual(sampler.texts(), ['a'.repeat(10), 'b'.repeat(10)])
})
