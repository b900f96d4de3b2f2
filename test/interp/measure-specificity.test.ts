import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  addToConcept,
  conceptColumns,
  conceptLevels,
  createConceptHistogram,
} from '../../src/interp/concept-histogram.js'
import { pearson } from '../../src/interp/correlation.js'
import { measureSpecificity } from '../../src/interp/measure-specificity.js'
import { loadPredicateFile } from '../../src/interp/predicate-file.js'
import { regexPredicate, scriptPredicate } from '../../src/interp/predicates.js'
import { renderSpecificity } from '../../src/interp/render-specificity.js'
import { specificityConfigSchema } from '../../src/interp/specificity-config.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { saeOf } from '../eval/tiny-sae.js'
import { cyclicModel, pieceTokenizer, tinySplit } from '../model/tiny-corpus.js'
import { temporaryDirectory } from '../temporary-directory.js'

const kernels = createReferenceKernels()
// token i is the letter a, b, ... j
const tokenizer = pieceTokenizer(Array.from({ length: 10 }, (_, i) => [0x61 + i]))
const V = tokenizer.vocabularySize
const corpus = {
  tokenizer,
  train: tinySplit('train', 4000, V),
  validation: tinySplit('validation', 2000, V),
}
const model = cyclicModel(
  kernels,
  Array.from({ length: V }, (_, i) => (i + 1) % V),
)

/** Feature 0 is dead; feature 1 is 2 on b and 1 on c. */
function inputs() {
  const wEnc = new Float32Array(2 * V)
  wEnc[V + 2] = 2
  wEnc[V + 3] = 1
  const arrays = { wEnc, bEnc: new Float32Array(2), wDec: wEnc.slice(), bDec: new Float32Array(V) }
  return { model, sae: saeOf(kernels, arrays, V, 'hook_embed'), corpus }
}

const config = specificityConfigSchema.parse({ tokens: 3000, minPositives: 1, levels: 4 })

test('levels agree with counting every token, whatever order the activations come in', () => {
  const random = Random.named(2, 'specificity')
  const tokens = Array.from({ length: 3000 }, () => {
    const held = random.uniform() < 0.3
    const activation = Math.fround(random.uniform() < 0.5 ? 0 : random.uniform() * (held ? 9 : 3))
    return { held, activation }
  })
  const histogram = createConceptHistogram()
  for (const { activation, held } of tokens) addToConcept(histogram, activation, held)
  const result = conceptLevels(histogram, 7)
  const positives = tokens.filter(({ held }) => held).length
  assert.equal(result.intervals.length, 8)
  assert.equal(result.positives, positives)
  for (const { low, high, within, above } of result.intervals) {
    const inside = tokens.filter(({ activation: a }) => (above === null ? a === 0 : a > low && a <= high))
    const hits = inside.filter(({ held }) => held).length
    assert.equal(within.tokens, inside.length)
    assert.equal(within.precision, hits / inside.length)
    assert.equal(within.recall, hits / positives)
    if (above === null) continue
    const higher = tokens.filter(({ activation }) => activation > low)
    const right = higher.filter(({ held }) => held).length
    assert.equal(above.tokens, higher.length)
    assert.equal(above.precision, right / higher.length)
    assert.equal(above.recall, right / positives)
    const odds = (right + 0.5) / (positives + 1) / ((higher.length - right + 0.5) / (3000 - positives + 1))
    assert.ok(Math.abs((above.logLikelihoodRatio ?? 0) - Math.log(odds)) < 1e-12)
  }
  const widths = result.intervals.slice(1).map(({ low, high }) => high - low)
  assert.ok(Math.max(...widths) - Math.min(...widths) < (2 * 16) / 1024, widths.join())
  const expected = pearson(
    tokens.map(({ activation }) => activation),
    tokens.map(({ held }) => (held ? 1 : 0)),
  )
  assert.ok(Math.abs((result.correlation ?? 0) - (expected ?? 0)) < 1e-9)
  const columns = conceptColumns(histogram, 20)
  const sum = (counts: number[]): number => counts.reduce((a, b) => a + b, 0)
  assert.equal(sum(columns.holds) + sum(columns.others), result.fires)
})

test('a feature that is exact above a level has full precision there and less below', async () => {
  const [result] = await measureSpecificity(config, [1], regexPredicate('b', 'B', true), inputs())
  assert.equal(result.reason, null)
  assert.deepEqual(result.splits, ['validation'])
  const top = result.intervals.at(-1)
  const lowest = result.intervals[1]
  assert.equal(top?.above?.precision, 1)
  assert.equal(top?.above?.recall, 1)
  assert.ok((lowest.above?.precision ?? 1) < 0.7)
  assert.ok((top?.within.logLikelihoodRatio ?? 0) > 5)
  // c activates the feature at half of its maximum, and is not of the concept
  const middle = result.intervals.find(({ low, high }) => low < 1 && high >= 1)
  assert.equal(middle?.within.precision, 0)
  const text = renderSpecificity(result)
  assert.match(text, /^1\.5 to 2 +[\d,]+ +100\.0%/m)
  for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 100, line)
})

test('training text is added only when the concept is too rare in validation text', async () => {
  const rare = { ...config, minPositives: 1e6 }
  const [result] = await measureSpecificity(rare, [1], regexPredicate('b', 'b'), inputs())
  assert.deepEqual(result.splits, ['validation', 'train'])
  assert.ok(result.tokens > 2500 && result.tokens <= 3000)
})

test('a dead feature and a concept that holds nowhere are marked results', async () => {
  const [dead] = await measureSpecificity(config, [0], regexPredicate('b', 'b'), inputs())
  assert.match(dead.reason ?? '', /dead/)
  assert.equal(dead.correlation, null)
  assert.equal(dead.intervals.length, 1)
  assert.match(renderSpecificity(dead), /not measured: the feature is dead/)
  const [nowhere] = await measureSpecificity(config, [1], scriptPredicate('Arabic'), inputs())
  assert.match(nowhere.reason ?? '', /holds on no token/)
  assert.equal(nowhere.intervals[1].above?.recall, null)
  assert.equal(nowhere.intervals[1].above?.logLikelihoodRatio, null)
  assert.match(renderSpecificity(nowhere), /no precision or recall to speak of/)
})

test('an id out of range, a bad expression and an unknown script are refused', async () => {
  const b = regexPredicate('b', 'b')
  for (const id of [2, -1, 0.5])
    await assert.rejects(measureSpecificity(config, [id], b, inputs()), {
      code: 'missing',
      message: /0 to 1/,
    })
  assert.throws(() => regexPredicate('x', '('), { code: 'config', message: /not a regular expression/ })
  for (const name of ['Klingonese', 'Arabic}|.\\p{L', ''])
    assert.throws(() => scriptPredicate(name), { code: 'config', message: /Unicode has none/ })
})

async function predicateFile(t: TestContext, code: string, name = 'concept.mjs'): Promise<string> {
  const path = join(await temporaryDirectory(t), name)
  await writeFile(path, code)
  return path
}

test('a predicate file is called with whole documents and gives the same as the expression it holds', async (t) => {
  const code = 'export default (text) => [...text.matchAll(/bc/g)].map((m) => [m.index, m.index + 2])'
  const own = await loadPredicateFile(await predicateFile(t, code))
  const [fromFile] = await measureSpecificity(config, [1], own, inputs())
  const [expected] = await measureSpecificity(config, [1], regexPredicate('bc', 'bc'), inputs())
  assert.ok(expected.positives > 0)
  assert.deepEqual(fromFile.intervals, expected.intervals)
})

test('what a predicate file does wrong is said with the file and the document', async (t) => {
  const fails = async (code: string, message: RegExp): Promise<void> => {
    const path = await predicateFile(t, code)
    await assert.rejects(
      async () => measureSpecificity(config, [1], await loadPredicateFile(path), inputs()),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'config')
        assert.match(error.message, message)
        assert.ok(error.message.includes(path))
        return true
      },
    )
  }
  await fails(
    'export default () => { throw new RangeError("oh no") }',
    /threw RangeError: oh no, on document 0/,
  )
  await fails('export default () => { throw "a word" }', /threw "a word", on document 0/)
  await fails('export default () => 7', /expected pairs \[start, end\], got 7, on document 0/)
  await fails('export default async () => []', /got a promise/)
  await fails('export default async () => { throw new Error("late") }', /got a promise/)
  await fails('export default () => [[0, 9e9]]', /got \[0, 9000000000\] in a text of \d+ characters/)
  await fails('export default () => [["0", 1]]', /got \["0",1\]/)
  await fails('export const find = 1', /expected a function as its default export, got undefined/)
  await fails('export default (', /could not be loaded: SyntaxError/)
})

test('a predicate file in TypeScript works where Node strips types, and is refused with advice elsewhere', async (t) => {
  const code = 'export default (text: string): [number, number][] => [[0, text.length]]'
  const path = await predicateFile(t, code, 'concept.ts')
  if ((process.features as { typescript?: unknown }).typescript)
    assert.deepEqual((await loadPredicateFile(path)).spans('abc'), [{ first: 0, end: 3 }])
  else
    await assert.rejects(loadPredicateFile(path), { code: 'config', hint: /\.js or \.mjs, or run.*22\.18/ })
  await assert.rejects(loadPredicateFile('none.mjs'), { code: 'missing' })
})
