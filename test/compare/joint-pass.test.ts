import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Columns } from '../../src/compare/columns.js'
import { jointPass } from '../../src/compare/joint-pass.js'
import type { TokenCorpus } from '../../src/corpus/corpus.js'
import { encodedWindows } from '../../src/eval/encoded-windows.js'
import { sampleWindows } from '../../src/eval/sample-windows.js'
import { pearson } from '../../src/interp/correlation.js'
import { openModelAndCorpus } from '../../src/model/model-corpus.js'
import { createTransformer, type Transformer } from '../../src/model/transformer.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { hookName, kernels, smallRun } from '../small-run.js'

const d = 12
const tokens = 1200
const minFires = 20
let corpus: TokenCorpus
let model: Transformer
let other: Transformer

before(async (t) => {
  const { inputs } = await smallRun(t as never, { collect: false })
  ;({ model, corpus } = await openModelAndCorpus(kernels, inputs))
  other = createTransformer(kernels, model.config, 7)
})

/** An autoencoder of random features of which some fire rarely. */
function featuresOf(on: Transformer, count: number, seed: number): Columns {
  const arrays = randomArrays(count, d, seed)
  arrays.bDec.fill(0)
  arrays.bEnc.forEach((_, i) => {
    arrays.bEnc[i] = -0.02 * i
  })
  return { kind: 'features', model: on, sae: saeOf(kernels, arrays, d, hookName) }
}

const options = (columns: Columns[]) => ({
  ...{ columns, split: corpus.validation, startOfText: corpus.tokenizer.startOfText },
  ...{ tokens, batchWindows: 3, partners: 3, minFires, shuffled: false, topTokens: 0 },
  pairs: [{ from: 0, to: 1 }],
})

/** One list of activations per column, with zeros, by way of another pass over the same text. */
async function activationsOf(columns: Columns): Promise<{ columns: Float64Array[]; tokens: number[] }> {
  const windows = sampleWindows(corpus.validation, columns.model.config.context, tokens)
  const sae = columns.kind === 'features' ? columns.sae : saeOf(kernels, randomArrays(2, d), d, hookName)
  const rows: Float64Array[] = []
  const read: number[] = []
  const startOfText = corpus.tokenizer.startOfText
  const pass = { model: columns.model, sae, split: corpus.validation, startOfText, windows, batchWindows: 5 }
  for await (const { rows: at, batch, codes, activations } of encodedWindows({
    ...pass,
    withActivations: true,
  }))
    at.forEach((position, n) => {
      const row = new Float64Array(columns.kind === 'features' ? columns.sae.features : d)
      if (columns.kind === 'features')
        for (let e = codes.rowOffsets[n]; e < codes.rowOffsets[n + 1]; e++)
          row[codes.featureIds[e]] = codes.values[e]
      else row.set((activations as Float32Array).subarray(n * d, (n + 1) * d))
      rows.push(row)
      read.push(batch.tokens[position])
    })
  const columnsRead = Array.from(rows[0], (_, j) => Float64Array.from(rows, (row) => row[j]))
  return { columns: columnsRead, tokens: read }
}

const firesOf = (column: Float64Array): number => column.filter((x) => x > 0).length

/** The k best partners of a column, by the definition. */
function slowPartners(column: Float64Array, others: Float64Array[], kinds: [string, string], k: number) {
  const powered = (x: Float64Array, kind: string): boolean => kind === 'neurons' || firesOf(x) >= minFires
  if (!powered(column, kinds[0])) return []
  return others
    .flatMap((y, id) => {
      const correlation = powered(y, kinds[1]) ? pearson(column, y) : null
      const together = column.filter((x, n) => x > 0 && y[n] > 0).length
      const sparse = kinds[0] === 'features' && kinds[1] === 'features'
      return correlation === null || (sparse && together === 0) ? [] : [{ id, correlation, together }]
    })
    .sort((a, b) => b.correlation - a.correlation || a.id - b.id)
    .slice(0, k)
}

const neurons = (on: Transformer): Columns => ({ kind: 'neurons', model: on, hookName })
const cases: [string, () => Columns, () => Columns][] = [
  [
    'features with features of another autoencoder',
    () => featuresOf(model, 24, 3),
    () => featuresOf(model, 17, 4),
  ],
  ['features with those of another model', () => featuresOf(model, 9, 3), () => featuresOf(other, 24, 5)],
  ['features with neurons', () => featuresOf(model, 24, 3), () => neurons(model)],
  ['neurons with features of another model', () => neurons(other), () => featuresOf(model, 24, 3)],
  ['neurons with neurons of another model', () => neurons(model), () => neurons(other)],
]

for (const [name, a, b] of cases)
  test(`the partners of ${name} are those of correlating every pair over the same tokens`, async () => {
    const columns = [a(), b()]
    const found = await jointPass({ ...options(columns), chunkTokens: 300 })
    const [x, y] = [await activationsOf(columns[0]), await activationsOf(columns[1])]
    assert.equal(found.tokens, x.tokens.length)
    const { k, ids, correlations, together, uncertainty } = found.pairs[0].matched
    const kinds: [string, string] = [columns[0].kind, columns[1].kind]
    x.columns.forEach((column, i) => {
      const expected = slowPartners(column, y.columns, kinds, k)
      const at = (n: number): number => i * k + n
      for (let n = 0; n < k; n++) {
        if (n >= expected.length) {
          assert.equal(ids[at(n)], -1)
          assert.ok(Number.isNaN(correlations[at(n)]))
          continue
        }
        assert.ok(
          Math.abs(correlations[at(n)] - expected[n].correlation) < 1e-5,
          `${i}: ${correlations[at(n)]} ${expected[n].correlation}`,
        )
        assert.equal(uncertainty[at(n)], 0)
        const partner = y.columns[ids[at(n)]]
        assert.ok(Math.abs((pearson(column, partner) as number) - expected[n].correlation) < 1e-5)
        if (kinds.every((kind) => kind === 'features'))
          assert.equal(together[at(n)], column.filter((value, t) => value > 0 && partner[t] > 0).length)
      }
    })
  })

test('each column has its mean, its variance and how often it fires; those that fire too rarely are counted', async () => {
  const columns = [featuresOf(model, 24, 3), neurons(model)]
  const found = await jointPass({ ...options(columns), chunkTokens: 300 })
  for (const [i, set] of columns.entries()) {
    const { columns: expected } = await activationsOf(set)
    const { fires, mean, variance, powered, underpowered } = found.columns[i]
    expected.forEach((column, j) => {
      const average = column.reduce((sum, value) => sum + value, 0) / column.length
      const spread = column.reduce((sum, value) => sum + (value - average) ** 2, 0) / column.length
      assert.equal(fires[j], firesOf(column))
      assert.ok(Math.abs(mean[j] - average) < 1e-6 * Math.max(1, Math.abs(average)))
      assert.ok(Math.abs(variance[j] - spread) < 1e-5 * spread + 1e-12)
      assert.equal(powered[j], set.kind === 'neurons' || firesOf(column) >= minFires ? 1 : 0)
    })
    assert.equal(underpowered, powered.filter((is) => is === 0).length)
  }
  assert.ok(found.columns[0].underpowered > 0 && found.columns[0].underpowered < 24)
})

test('the top tokens of a feature are those that hold most of its activation', async () => {
  const columns = [featuresOf(model, 24, 3), featuresOf(model, 5, 9)]
  const { topTokens } = await jointPass({ ...options(columns), topTokens: 2 })
  const { columns: expected, tokens: read } = await activationsOf(columns[0])
  const { k, tokens: ids, shares } = topTokens[0] as NonNullable<(typeof topTokens)[0]>
  expected.forEach((column, j) => {
    const sums = new Map<number, number>()
    read.forEach((token, n) => {
      if (column[n] > 0) sums.set(token, (sums.get(token) ?? 0) + column[n])
    })
    const total = column.reduce((sum, value) => sum + value, 0)
    const best = [...sums].sort((a, b) => b[1] - a[1])
    for (let n = 0; n < k; n++) {
      if (n >= best.length) assert.equal(ids[j * k + n], -1)
      else assert.ok(Math.abs(shares[j * k + n] - best[n][1] / total) < 1e-5)
    }
  })
})

test('the share of a feature on marked tokens is that of its activation at the positions asked for', async () => {
  const columns = [featuresOf(model, 24, 3), neurons(model)]
  const asked: number[] = []
  const split = corpus.validation
  const marked = (position: number): boolean => split.tokens[position] % 3 === 0
  const marks = [
    marked,
    (position: number) => {
      asked.push(position)
      return true
    },
  ]
  const { markShares } = await jointPass({ ...options(columns), marks })
  const { columns: expected, tokens: read } = await activationsOf(columns[0])
  expected.forEach((column, j) => {
    const total = column.reduce((sum, value) => sum + value, 0)
    const on = column.reduce((sum, value, n) => sum + (read[n] % 3 === 0 ? value : 0), 0)
    assert.ok(Math.abs(markShares[0][0][j] - (total > 0 ? on / total : 0)) < 1e-6)
    assert.equal(markShares[0][1][j], total > 0 ? 1 : 0)
  })
  assert.deepEqual(markShares[1], [])
  assert.deepEqual(
    asked,
    [...asked].sort((a, b) => a - b),
  )
  assert.deepEqual(
    asked.map((position) => split.tokens[position]),
    read,
  )
})

test('an autoencoder correlates with itself at 1, and hardly with itself on text that was moved', async () => {
  const columns = [featuresOf(model, 24, 3), featuresOf(model, 24, 3)]
  const found = await jointPass({ ...options(columns), shuffled: true, partners: 1 })
  const { matched, shuffled } = found.pairs[0]
  const { powered } = found.columns[0]
  const mean = (values: Float64Array): number => {
    const kept = values.filter((value, i) => powered[i] === 1 && !Number.isNaN(value))
    return kept.reduce((sum, value) => sum + value, 0) / kept.length
  }
  powered.forEach((is, i) => {
    if (is) assert.ok(Math.abs(matched.correlations[i] - 1) < 1e-6)
  })
  assert.ok(mean((shuffled as typeof matched).correlations) < 0.3)
})

test('moved text is half a chunk away, so that a shift by hand gives the same correlations', async () => {
  const columns = [featuresOf(model, 6, 3), featuresOf(model, 6, 4)]
  const found = await jointPass({ ...options(columns), shuffled: true, chunkTokens: 1e6, partners: 6 })
  const [x, y] = [await activationsOf(columns[0]), await activationsOf(columns[1])]
  const n = x.tokens.length
  const half = Math.floor(n / 2)
  const { ids, correlations } = found.pairs[0].shuffled as NonNullable<(typeof found.pairs)[0]['shuffled']>
  let compared = 0
  for (let place = 0; place < 36; place++) {
    if (ids[place] < 0) continue
    const moved = y.columns[ids[place]].map((_, t, all) => all[(t - half + n) % n])
    const expected = pearson(x.columns[Math.floor(place / 6)], moved) as number
    assert.ok(Math.abs(correlations[place] - expected) < 1e-5)
    compared++
  }
  assert.ok(compared > 6)
})

test('a table that is too small for all pairs says by how much its correlations may be too low', async () => {
  // Every feature keeps 128 columns at least.
  const columns = [featuresOf(model, 4, 3), featuresOf(model, 200, 4)]
  const [exact, bounded] = await Promise.all(
    [undefined, 1].map((maximumPairs) => jointPass({ ...options(columns), maximumPairs, chunkTokens: 100 })),
  )
  exact.pairs[0].matched.correlations.forEach((correlation, i) => {
    const { correlations, uncertainty } = bounded.pairs[0].matched
    if (Number.isNaN(correlation)) return
    assert.ok(correlations[i] <= correlation + 1e-6 && correlation <= correlations[i] + uncertainty[i] + 1e-6)
  })
})

test('the size of batches changes nothing', async () => {
  const columns = [featuresOf(model, 24, 3), neurons(other)]
  const [a, b] = await Promise.all(
    [1, 8].map((batchWindows) => jointPass({ ...options(columns), batchWindows })),
  )
  assert.deepEqual(a.pairs[0].matched.ids, b.pairs[0].matched.ids)
})

test('columns that do not fit, other vocabularies and activations that are not finite are refused', async () => {
  const fitting = featuresOf(model, 4, 3)
  const pass = (second: Columns) => jointPass(options([fitting, second]))
  const wide = saeOf(kernels, randomArrays(4, 8), 8, hookName)
  await assert.rejects(pass({ kind: 'features', model, sae: wide }), { code: 'shape' })
  await assert.rejects(pass({ kind: 'neurons', model, hookName: 'blocks.9.hook_resid_post' }), {
    code: 'missing',
    message: /no hook point blocks.9/,
  })
  const foreign = createTransformer(kernels, { ...model.config, vocabularySize: 300 }, 1)
  await assert.rejects(pass(neurons(foreign)), { code: 'config', message: /vocabularies of \d+ and 300/ })
  const broken = createTransformer(kernels, model.config, 1)
  kernels.fill(Object.values(broken.params)[0], Number.NaN)
  await assert.rejects(pass(neurons(broken)), { code: 'diverged', message: /expected finite activations/ })
})
