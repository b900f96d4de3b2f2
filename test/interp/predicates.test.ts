import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { base64Spans } from '../../src/interp/base64.js'
import { decodeBytes, tokenizedText } from '../../src/interp/document-text.js'
import {
  builtInPredicates,
  choosePredicates,
  markTokens,
  type Predicate,
} from '../../src/interp/predicates.js'
import { Random } from '../../src/random/random.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'

const predicate = (name: string): Predicate => {
  const found = builtInPredicates.find((p) => p.name === name)
  assert.ok(found)
  return found
}

/** Marks of a text cut into the given pieces; a piece is text or bytes. */
function marks(name: string, ...cut: (string | number[])[]): number[] {
  const tokenizer = pieceTokenizer(cut.map((piece) => Array.from(Buffer.from(piece as string))))
  const ids = cut.map((_, i) => i + 1)
  return Array.from(markTokens(predicate(name), tokenizedText(ids, tokenizer)))
}

const matches = (name: string, text: string): string[] =>
  predicate(name)
    .spans(text)
    .map(({ first, end }) => text.slice(first, end))

test('arabic and hebrew tokens are told from latin, from each other, and from digits', () => {
  assert.deepEqual(marks('arabic', 'abc', ' سلام', '، ', 'שלום', '123', '٣', ' '), [0, 1, 1, 0, 0, 1, 0])
  assert.deepEqual(marks('hebrew', 'abc', ' سلام', ' ש', 'לום', '123'), [0, 0, 1, 1, 0])
})

test('a token with part of the bytes of a character counts as that character', () => {
  // ع is d8 b9, é is c3 a9
  assert.deepEqual(marks('arabic', [0x20, 0xd8], [0xb9], [0xc3], [0xa9], 'x'), [1, 1, 0, 0, 0])
})

test('bytes that are no UTF-8 neither shift what follows nor count', () => {
  assert.deepEqual(marks('arabic', [0xff], [0xe2, 0x82], 'ع', [0xd8]), [0, 0, 1, 0])
  const { text, byteOf } = decodeBytes(Uint8Array.of(0x61, 0xff, 0xf0, 0x9f, 0x98, 0x80, 0x62))
  assert.equal(text, 'a\ufffd😀b')
  assert.deepEqual(Array.from(byteOf), [0, 1, 2, 2, 6, 7])
})

test('dna is a run of at least twelve of ACGT that is no part of a word, over line ends', () => {
  assert.deepEqual(matches('dna', '>seq\nACGTACGTACGT\nACGTAC\n'), ['ACGTACGTACGT\nACGTAC'])
  assert.deepEqual(matches('dna', 'ACGTACGTACG acgtacgtacgt'), [], 'eleven, and lower case')
  assert.deepEqual(matches('dna', 'xACGTACGTACGTACGT ACGTACGTACGTACGTN'), [], 'part of a word')
  assert.deepEqual(marks('dna', 'GATTACA', 'GATTACA', '\n', 'GATTACA', '\n', 'end'), [1, 1, 1, 1, 0, 0])
})

test('a token counts when more than half of what is not blank lies in the run', () => {
  assert.deepEqual(marks('dna', ' ACGTACGT', 'ACGTACGT', '  .'), [1, 1, 0])
  assert.deepEqual(marks('dna', '"ACGT', 'ACGTACGTACGT', 'A"', 'x'), [1, 1, 0, 0], 'A" is half inside')
})

test('base64 finds random base64 of 32 characters and more, more than 99 of 100', () => {
  const random = Random.named(1, 'base64')
  let found = 0
  for (let i = 0; i < 500; i++) {
    const text = Buffer.from(Array.from({ length: 24 + random.int(60) }, () => random.int(256))).toString(
      'base64',
    )
    if (base64Spans(`data: ${text}\n`).some(({ first, end }) => end - first === text.length && first === 6))
      found++
  }
  assert.ok(found >= 495, `${found} of 500`)
})

test('base64 takes a wrapped block as one run', () => {
  const block = Buffer.from(Array.from({ length: 130 }, (_, i) => (i * 137 + 11) % 251)).toString('base64')
  const lines = block.match(/.{1,76}/g) ?? []
  const text = `-----BEGIN\n${lines.join('\n')}\nEND of it\n`
  assert.deepEqual(matches('base64', text), [lines.join('\n')])
})

test('base64 of zero bytes counts, and a word under a block does not', () => {
  assert.equal(matches('base64', 'zKyfyfL01ImGHgAAAAAAAAAAAAAAAAAA').length, 1)
  const line = 'MIIDeedD4PEjepdh9JiVFIBHPPyeGq3Z'
  assert.deepEqual(matches('base64', `${line}\n${line}\nwords\n`), [`${line}\n${line}`])
})

test('base64 is not found in code, URLs, hashes, DNA, numbers, paths and words', () => {
  const hash = createHash('sha1').update('x').digest('hex')
  const negatives = [
    hash,
    hash.toUpperCase(),
    randomBytes(32).toString('hex'),
    'ACGTACGTACGTACGTACGTACGTACGT',
    'createFeatureDetailFromExampleRow2',
    'HTMLInputElementEventHandlers4JavaScriptXMLHttpRequest2',
    'MAXIMUM_TRANSMISSION_UNIT_SIZE0123456789',
    'MAXIMUMTRANSMISSIONUNITSIZE64abc',
    `https://github.com/Foo/Bar/commit/${hash}`,
    'node_modules/TypeScript/lib/lib/es2015/symbol/WellKnown/index',
    '31415926535897932384626433832795',
    'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft',
    '8f14e45f-ceea-467f-a8f0-d4b1e1c1f5b1',
    'a'.repeat(40),
    'AbAbAbAbAbAbAbAbAbAbAbAbAb',
  ]
  for (const negative of negatives) assert.deepEqual(matches('base64', negative), [], negative)
})

test('own predicates are regular expressions, and bad ones are refused with the reason', () => {
  const [digits] = choosePredicates([], ['digits=\\d+'])
  assert.deepEqual(digits.spans('a12 3'), [
    { first: 1, end: 3 },
    { first: 4, end: 5 },
  ])
  assert.throws(() => choosePredicates([], ['digits=(']), { code: 'config', message: /digits: \( is not/ })
  assert.throws(() => choosePredicates([], ['just text']), { code: 'config', message: /name=expression/ })
  assert.throws(() => choosePredicates(['klingon'], []), { code: 'config', message: /klingon/ })
  assert.throws(() => choosePredicates(['dna'], ['dna=x']), { code: 'config', message: /twice/ })
})

test('an expression that matches nothing visible marks nothing', () => {
  const [empty] = choosePredicates([], ['empty=x*'])
  assert.deepEqual(empty.spans('abc'), [])
})
