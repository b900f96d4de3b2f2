import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sqlString, withDatabase } from '../../src/formats/duckdb.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { type LabelledTexts, readLabelledTexts } from '../../src/probe/labelled-texts.js'
import { poolTexts } from '../../src/probe/pooled-texts.js'
import { probeConfigSchema } from '../../src/probe/probe-config.js'
import { mostDifferent } from '../../src/probe/probes.js'
import { renderProbes } from '../../src/probe/render-probes.js'
import { runProbes } from '../../src/probe/run-probes.js'
import { fromDense, type SparseMatrix } from '../../src/probe/sparse-matrix.js'
import { Random } from '../../src/random/random.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { saeOf } from '../eval/tiny-sae.js'
import { cyclicModel, pieceTokenizer } from '../model/tiny-corpus.js'
import { temporaryDirectory } from '../temporary-directory.js'

const kernels = createReferenceKernels()
// token i is the letter a, b, ... j; the embedding of token i is e_i
const tokenizer = pieceTokenizer(Array.from({ length: 10 }, (_, i) => [0x61 + i]))
const V = tokenizer.vocabularySize
const model = cyclicModel(
  kernels,
  Array.from({ length: V }, (_, i) => (i + 1) % V),
)

/** Feature i fires on the letters of group i, by their value. */
function saeFor(groups: Record<string, number>[]) {
  const wEnc = new Float32Array(groups.length * V)
  groups.forEach((group, i) => {
    for (const [letter, value] of Object.entries(group)) wEnc[i * V + tokenizer.encode(letter)[0]] = value
  })
  const arrays = {
    wEnc,
    bEnc: new Float32Array(groups.length),
    wDec: wEnc.slice(),
    bDec: new Float32Array(V),
  }
  return saeOf(kernels, arrays, V, 'hook_embed')
}

/** Feature 3 is on exactly where the keyword (g or h) is; the others respond to other letters, feature 0 to all. */
const sae = saeFor([
  { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1 },
  { a: 2, b: 1 },
  { c: 1 },
  { g: 1, h: 1 },
  {},
])

/** Texts of 3 to 11 letters from a to f; those of the class "keyword" have one g or h in them. */
function keywordTexts(count: number): LabelledTexts {
  const random = Random.named(4, 'texts')
  const texts = new Set<string>()
  while (texts.size < count) {
    const letters = Array.from({ length: 3 + random.int(9) }, () => random.pick([...'abcdef']))
    if (texts.size % 3 === 0) letters[random.int(letters.length)] = random.pick(['g', 'h'])
    texts.add(letters.join(''))
  }
  const labels = Int32Array.from(texts, (text) => (/[gh]/.test(text) ? 1 : 0))
  return { texts: [...texts], labels, classes: ['other', 'keyword'], repeated: 0, contradicting: 0 }
}

const config = probeConfigSchema.parse({ sparsity: [1, 3], batchWindows: 7 })

test('the k = 1 probe finds the feature that detects the label, and is then always right', async () => {
  for (const pool of ['mean', 'max'] as const) {
    const report = await runProbes(keywordTexts(90), { ...config, pool }, { model, sae, tokenizer })
    const [one] = report.probes
    assert.deepEqual(
      one.features?.map(({ feature, folds }) => [feature, folds]),
      [[3, 5]],
    )
    assert.ok((one.features?.[0].weight ?? 0) > 0)
    assert.equal(one.metrics.rocAuc.mean, 1)
    assert.equal(one.metrics.accuracy.mean, 1)
    const lasso = report.probes.find(({ name }) => name.startsWith('L1'))
    assert.equal(lasso?.features?.[0].feature, 3)
    assert.equal(lasso?.metrics.rocAuc.mean, 1)
    assert.ok((report.longTexts ?? 0) > 30)
    assert.ok(Math.abs(report.majority - 2 / 3) < 1e-9)
  }
})

test('labels that have nothing to do with the texts are not predicted by any probe', async () => {
  const data = keywordTexts(90)
  const random = Random.named(9, 'noise')
  const report = await runProbes({ ...data, labels: data.labels.map(() => random.int(2)) }, config, {
    model,
    sae,
    tokenizer,
  })
  for (const { name, metrics } of report.probes)
    assert.ok(Math.abs(metrics.rocAuc.mean - 0.5) < 0.2, `${name}: ${metrics.rocAuc.mean}`)
})

test('three classes are told apart one against the rest, and the same seed gives the same report', async () => {
  const texts = keywordTexts(90).texts.filter((text) => !/c.*[gh]|[gh].*c/.test(text))
  const labels = Int32Array.from(texts, (text) => (/[gh]/.test(text) ? 0 : /c/.test(text) ? 1 : 2))
  const data = { texts, labels, classes: ['keyword', 'c', 'none'], repeated: 0, contradicting: 0 }
  const inputs = { model, sae, tokenizer }
  const report = await runProbes(data, config, inputs)
  const best = new Map(report.probes[0].features?.map((feature) => [feature.class, feature]))
  assert.equal(best.get('keyword')?.feature, 3)
  assert.equal(best.get('c')?.feature, 2)
  assert.equal(report.probes[0].metrics.rocAuc.mean > 0.8, true)
  assert.deepEqual(await runProbes(data, { ...config, batchWindows: 3 }, inputs), report)
  const text = renderProbes(
    report,
    new Map([[3, { topTokens: ['g', ' h'], explanation: 'the letter g or h' }]]),
  )
  assert.match(text, /^k-sparse, k = 1 +keyword +3 +\d\.\d\d +5\/5 +the letter g or h \(g ␣h\)$/m)
  for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 120, line)
})

const rowOf = (x: SparseMatrix, i: number): [number, number][] =>
  Array.from(x.columnIds.subarray(x.rowOffsets[i], x.rowOffsets[i + 1]), (column, e) => [
    column,
    x.values[x.rowOffsets[i] + e],
  ])

test('pooling is over all windows of a text and over no other', async () => {
  // context 4: the second text takes three windows with <|endoftext|>
  const texts = ['ab', 'aabacgaaab', 'c']
  const inputs = { model, sae, tokenizer }
  const mean = await poolTexts(texts, { pool: 'mean', batchWindows: 2 }, inputs)
  const max = await poolTexts(texts, { pool: 'max', batchWindows: 16 }, inputs)
  assert.deepEqual([mean.longTexts, mean.windows], [1, 5])
  assert.deepEqual(rowOf(mean.features, 0), [
    [0, 1],
    [1, 1.5],
  ])
  assert.deepEqual(rowOf(mean.features, 1), [
    [0, 1],
    [1, 1.4],
    [2, 0.1],
    [3, 0.1],
  ])
  assert.deepEqual(rowOf(max.features, 1), [
    [0, 1],
    [1, 2],
    [2, 1],
    [3, 1],
  ])
  assert.deepEqual(rowOf(max.features, 2), [
    [0, 1],
    [2, 1],
  ])
  assert.deepEqual(rowOf(mean.tokens, 1), [
    [1, 6],
    [2, 2],
    [3, 1],
    [7, 1],
  ])
  const rawOfA = mean.raw[V + tokenizer.encode('a')[0]]
  assert.ok(Math.abs(rawOfA - 0.6) < 1e-6)
})

test('the columns of a sparse probe are chosen by the difference of means in standard deviations', () => {
  const x = fromDense([10, 1, 0, 12, 1, 0, 11, 0, 0, 9, 0, 0], 3)
  assert.deepEqual(mostDifferent(x, Uint8Array.of(1, 1, 0, 0), 3), [1, 0])
})

async function dataFile(t: TestContext, name: string, content: string): Promise<string> {
  const path = join(await temporaryDirectory(t), name)
  await writeFile(path, content)
  return path
}

const lines = (entries: unknown[]): string => entries.map((entry) => JSON.stringify(entry)).join('\n')
const six = Array.from({ length: 6 }, (_, i) => ({ text: `text, "${i}"`, label: i % 2 }))

test('labelled texts are the same from JSONL, CSV and Parquet', async (t) => {
  const small = { ...config, folds: 2 }
  const csv = `text,label\n${six.map(({ text, label }) => `"${text.replaceAll('"', '""')}",${label}`).join('\n')}\n`
  const fromJson = await readLabelledTexts(await dataFile(t, 'a.jsonl', lines(six)), small)
  assert.deepEqual(fromJson.classes, ['0', '1'])
  assert.equal(fromJson.texts[1], 'text, "1"')
  const csvPath = await dataFile(t, 'a.csv', csv)
  assert.deepEqual(await readLabelledTexts(csvPath, small), fromJson)
  const parquet = `${csvPath}.parquet`
  await withDatabase(async (connection) => {
    await connection.run(
      `COPY (SELECT text, CAST(label AS INTEGER) AS label FROM read_csv(${sqlString(csvPath)})) TO ${sqlString(parquet)}`,
    )
  })
  assert.deepEqual(await readLabelledTexts(parquet, small), fromJson)
})

test('a text that comes twice is taken once and counted', async (t) => {
  const twice = [...six, six[0], { text: six[1].text, label: 0 }]
  const data = await readLabelledTexts(await dataFile(t, 'a.jsonl', lines(twice)), { ...config, folds: 2 })
  assert.deepEqual([data.texts.length, data.repeated, data.contradicting], [6, 2, 1])
})

test('bad labelled texts are refused, naming line and field', async (t) => {
  const refuses = async (name: string, content: string, code: string, message: RegExp): Promise<void> => {
    const path = await dataFile(t, name, content)
    await assert.rejects(readLabelledTexts(path, config), { code, message })
  }
  await refuses(
    'a.jsonl',
    lines([six[0], { words: 'x', label: 1 }]),
    'missing',
    /a\.jsonl:2: expected field "text", found: words, label/,
  )
  await refuses('a.jsonl', lines([{ text: 'x' }]), 'missing', /a\.jsonl:1: expected field "label"/)
  await refuses(
    'a.jsonl',
    lines([six[0], { text: ' \n', label: 1 }]),
    'format',
    /a\.jsonl:2: expected field "text" to be text that is not empty, got " \\n"/,
  )
  await refuses(
    'a.jsonl',
    lines([{ text: 'x', label: null }]),
    'format',
    /a\.jsonl:1: expected field "label" to be a class, got null/,
  )
  await refuses('a.jsonl', lines([{ text: 'x', label: ['a'] }]), 'format', /to be a class, got \["a"\]/)
  await refuses('a.jsonl', `${lines(six)}\n{"text": `, 'format', /a\.jsonl:7: expected JSON/)
  await refuses('a.jsonl', '', 'config', /at least two classes, got no texts/)
  await refuses('a.jsonl', lines(six.map(({ text }) => ({ text, label: 'x' }))), 'config', /only "x"/)
  await refuses('a.jsonl', lines(six), 'config', /at least 5 texts of each class for 5 folds, got 3 of "0"/)
  await refuses('a.csv', 'text,class\na,1\n', 'missing', /a\.csv: expected field "label", found: text, class/)
  await refuses('a.csv', 'text,label\na,1\n,2\n', 'format', /a\.csv, row 2: expected field "text"/)
  await refuses('a.txt', 'x', 'config', /expected a \.jsonl, \.csv/)
  await assert.rejects(readLabelledTexts('none.jsonl', config), { code: 'missing' })
})
