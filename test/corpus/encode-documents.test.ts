import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CorpusDocument } from '../../src/corpus/document.js'
import { encodeDocuments } from '../../src/corpus/encode-documents.js'
import type { Tokenizer } from '../../src/corpus/tokenizer.js'
import { singleRank } from '../../src/distributed/communicator.js'

// one token for each byte
const tokenizer = { encode: (text: string) => Int32Array.from(Buffer.from(text)) } as Tokenizer

const documentsOf = (texts: string[]): CorpusDocument[] =>
  texts.map((text, i) => ({ kind: 'text', source: `file ${i}`, group: String(i), text }))

async function encoded(texts: string[], bytes: number[], pause = async (): Promise<void> => {}) {
  const found: [string, string][] = []
  const options = { bytes, tokenizer, ranks: singleRank, pause }
  for await (const { source, tokens } of encodeDocuments(() => documentsOf(texts), options))
    found.push([source, Buffer.from(tokens).toString()])
  return found
}

test('documents come in order, short ones and ones longer than a stretch', async () => {
  const texts = ['a', 'b'.repeat(300_000), '', 'c'.repeat(200_000), 'd'.repeat(200_000), 'e']
  const found = await encoded(
    texts,
    texts.map((text) => text.length),
  )
  assert.deepEqual(
    found,
    texts.map((text, i) => [`file ${i}`, text]),
  )
})

test('a text that is not what an earlier pass found is named', async () => {
  const changed = (name: RegExp) => ({ code: 'corrupt', message: name })
  await assert.rejects(encoded(['one', 'three'], [3, 3]), changed(/file 1 changed while it was read/))
  await assert.rejects(encoded(['one'], [3, 3]), changed(/the text changed/))
  await assert.rejects(encoded(['one', 'two', 'new'], [3, 3]), changed(/file 2 changed/))
})

test('it stops where its caller wants to', async () => {
  const stop = async (): Promise<void> => {
    throw new Error('enough')
  }
  await assert.rejects(encoded(['one', 'two'], [3, 3], stop), /enough/)
})
