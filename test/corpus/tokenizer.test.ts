import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { splitWords } from '../../src/corpus/byte-level.js'
import { createMerger } from '../../src/corpus/merger.js'
import { createTokenizer, loadTokenizer, readableBytes } from '../../src/corpus/tokenizer.js'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { Random } from '../../src/random/random.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { variedTexts } from './varied-texts.js'

const golden = fileURLToPath(new URL('../../../test/golden/tokenizer/', import.meta.url))
const json = await readFile(join(golden, 'tokenizer.json'), 'utf8')
const tokenizer = createTokenizer(json)

const readJson = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(join(golden, name), 'utf8')) as T

test('encode gives the ids that the Python library tokenizers gives', async () => {
  const texts = await readJson<string[]>('texts.json')
  const { ids, library } = await readJson<{ ids: number[][]; library: string }>('encodings.json')
  assert.ok(texts.length > 190 && texts.length === ids.length)
  for (const [i, text] of texts.entries())
    assert.deepEqual([...tokenizer.encode(text)], ids[i], `${library}: ${JSON.stringify(text)}`)
})

test('encode and decode agree with @huggingface/tokenizers', () => {
  const reference = new HuggingFaceTokenizer(JSON.parse(json), {})
  for (const text of variedTexts()) {
    const ids = tokenizer.encode(text)
    const expected = reference.encode(text, { add_special_tokens: false }).ids
    assert.deepEqual([...ids], expected, JSON.stringify(text))
    assert.equal(tokenizer.decode(ids), text)
    if (ids.length > 0)
      assert.equal(reference.decode(expected, { clean_up_tokenization_spaces: false }), text)
  }
})

test('words joined are the text, whatever the characters', () => {
  for (const text of variedTexts()) assert.equal(splitWords(text).join(''), text)
  for (let code = 0; code < 0x3100; code++) {
    const text = `a ${String.fromCodePoint(code)} b`
    assert.equal(splitWords(text).join(''), text)
  }
})

test('the characters <|endoftext|> in a text never become the special token', () => {
  const text = 'before <|endoftext|> after<|endoftext|>'
  const ids = tokenizer.encode(text)
  assert.ok(!ids.includes(tokenizer.endOfText))
  assert.equal(tokenizer.decode(ids), text)
  assert.equal(tokenizer.decode([tokenizer.endOfText]), '<|endoftext|>')
})

test('a lone surrogate is encoded as U+FFFD', () => {
  assert.deepEqual(tokenizer.encode('a\ud800b'), tokenizer.encode('a\ufffdb'))
})

test('long words merge as short ones do, and a megabyte without a space takes no hour', () => {
  const merges = [
    [1, 1, 256],
    [256, 256, 257],
    [1, 2, 258],
    [257, 1, 259],
    [2, 258, 260],
  ] as Array<[number, number, number]>
  const merge = createMerger(
    Int32Array.from({ length: 256 }, (_, byte) => byte),
    merges,
  )
  const random = new Random(3)
  for (let length = 90; length < 110; length++) {
    const bytes = Uint8Array.from({ length }, () => 1 + random.int(2))
    assert.deepEqual([...merge(bytes)], slowMerge([...bytes], merges), `length ${length}`)
  }
  const started = performance.now()
  const word = 'ACGTTGCA'.repeat(50_000)
  assert.equal(tokenizer.decode(tokenizer.encode(word)), word)
  assert.ok(performance.now() - started < 10_000)
})

/** The definition: merge the leftmost pair of the lowest rank until there is none. */
function slowMerge(tokens: number[], merges: Array<[number, number, number]>): number[] {
  for (;;) {
    const rank = merges.findIndex(([a, b]) => tokens.some((token, i) => token === a && tokens[i + 1] === b))
    if (rank < 0) return tokens
    const [a, b, merged] = merges[rank] as [number, number, number]
    const at = tokens.findIndex((token, i) => token === a && tokens[i + 1] === b)
    tokens.splice(at, 2, merged)
  }
}

test('tokenText shows stray bytes, controls and line ends, tokenBytes gives them exactly', () => {
  assert.equal(readableBytes(Uint8Array.of(0xd8)), '⟨d8⟩')
  assert.equal(readableBytes(Uint8Array.of(0x20, 0xd7, 0xa9, 0xd7)), ' ש⟨d7⟩')
  assert.equal(readableBytes(Uint8Array.of(0x0a, 0x09, 0x07, 0x41)), '↵⇥⟨07⟩A')
  assert.equal(readableBytes(Uint8Array.of(0xc0, 0x80)), '⟨c0⟩⟨80⟩')
  assert.equal(readableBytes(new TextEncoder().encode('𝔘')), '𝔘')
  const id = tokenizer.encode('\n')[0] as number
  assert.deepEqual([...tokenizer.tokenBytes(id)], [10])
  assert.equal(tokenizer.tokenText(id), '↵')
  assert.throws(
    () => tokenizer.decode([tokenizer.vocabularySize]),
    (error) => error instanceof MonosemError && error.code === 'shape',
  )
})

test('loadTokenizer also reads the plain ByteLevel form and merges written as strings', async (t) => {
  const directory = await temporaryDirectory(t)
  const document = JSON.parse(json)
  document.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  document.model.merges = document.model.merges.map((pair: string[]) => pair.join(' '))
  const path = join(directory, 'tokenizer.json')
  await writeFile(path, JSON.stringify(document))
  const other = await loadTokenizer(path)
  for (const text of variedTexts().slice(0, 60)) assert.deepEqual(other.encode(text), tokenizer.encode(text))
})

test('loadTokenizer names what it does not support', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'tokenizer.json')
  const refuse = async (content: string, pattern: RegExp) => {
    await writeFile(path, content)
    await assert.rejects(loadTokenizer(path), (error) => {
      assert.ok(error instanceof MonosemError && error.code === 'format' && error.hint)
      assert.match(error.message, pattern)
      return true
    })
  }
  // biome-ignore lint/suspicious/noExplicitAny: a JSON document that the test breaks on purpose
  const changed = (change: (document: any) => void): string => {
    const document = JSON.parse(json)
    change(document)
    return JSON.stringify(document)
  }
  await refuse('{', /expected JSON/)
  await refuse(
    changed((d) => (d.model.type = 'WordPiece')),
    /model\.type/,
  )
  await refuse(
    changed((d) => (d.model.end_of_word_suffix = '</w>')),
    /model\.end_of_word_suffix/,
  )
  await refuse(
    changed((d) => (d.normalizer = { type: 'Nmt' })),
    /normalizer\.0\.type/,
  )
  await refuse(
    changed((d) => (d.pre_tokenizer = { type: 'BertPreTokenizer' })),
    /pre_tokenizer/,
  )
  await refuse(
    changed((d) => d.pre_tokenizer.pretokenizers.reverse()),
    /ByteLevel as the last step/,
  )
  await refuse(
    changed((d) => (d.pre_tokenizer.pretokenizers[0].pattern.Regex = '(unclosed')),
    /unclosed/,
  )
  await refuse(
    changed((d) => (d.added_tokens = [])),
    /bos_token or eos_token/,
  )
  await refuse(
    changed((d) => d.model.merges.push(['nothing', 'here'])),
    /not in the vocabulary/,
  )
  await refuse(
    changed((d) => d.model.merges.push(d.model.merges[0])),
    /twice/,
  )
  await refuse(
    changed((d) => {
      d.model.vocab.ĀĀĀĀĀ = d.model.vocab.Ā
      delete d.model.vocab.Ā
    }),
    /byte 0/,
  )
  await assert.rejects(
    loadTokenizer(join(directory, 'none.json')),
    (error) => error instanceof MonosemError && error.code === 'missing',
  )
})
