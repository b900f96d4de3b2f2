import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { renderSplitting } from '../../src/compare/render-splitting.js'
import { measureSplitting, type SplittingInputs } from '../../src/compare/splitting.js'
import { splittingConfigSchema } from '../../src/compare/splitting-config.js'
import { readSplitting, type Splitting } from '../../src/compare/splitting-file.js'
import { runSplittingStage } from '../../src/compare/splitting-stage.js'
import { chooseSubtrees, leavesOf, rootOf, subtreeOf } from '../../src/compare/subtrees.js'
import type { TokenCorpus } from '../../src/corpus/corpus.js'
import { openModelAndCorpus } from '../../src/model/model-corpus.js'
import type { Transformer } from '../../src/model/transformer.js'
import type { Sae } from '../../src/sae/sae.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'
import { saeOf } from '../eval/tiny-sae.js'
import { context, hookName, kernels, smallRun, writeSae } from '../small-run.js'

const d = 12
const config = splittingConfigSchema.parse({
  ...{ tokens: 1500, neighbours: 3, topTokens: 2, concepts: ['arabic'], minFires: 20 },
})
let run: Awaited<ReturnType<typeof smallRun>>
let model: Transformer
let corpus: TokenCorpus

before(async (t) => {
  run = await smallRun(t as never, { collect: false })
  ;({ model, corpus } = await openModelAndCorpus(kernels, run.inputs))
})

/** One feature for each direction, given by its entries that are not 0; it fires wherever the activation points its way. */
function arraysOf(directions: Record<number, number>[], silent: readonly number[] = []): SaeArrays {
  const rows = new Float32Array(directions.length * d)
  directions.forEach((entries, i) => {
    const norm = Math.hypot(...Object.values(entries))
    for (const [j, value] of Object.entries(entries)) rows[i * d + Number(j)] = value / norm
  })
  const bEnc = new Float32Array(directions.length)
  for (const i of silent) bEnc[i] = -1e6
  return { wEnc: rows, bEnc, wDec: rows.slice(), bDec: new Float32Array(d) }
}

/** Direction 0 splits and one of its halves splits again; 1 stays; 2 is lost; 7 is new. The last of the largest never fires. */
const sizes: SaeArrays[] = [
  arraysOf([{ 0: 1 }, { 1: 1 }, { 2: 1 }]),
  arraysOf([{ 7: 1 }, { 0: 1, 5: 0.5 }, { 0: 1, 5: -0.5 }, { 1: 1 }]),
  arraysOf(
    [
      { 1: 1 },
      { 0: 1, 5: 0.5, 6: 0.4 },
      { 0: 1, 5: -0.5 },
      { 7: 1 },
      { 0: 1, 5: 0.5, 6: -0.4 },
      { 2: 1, 9: 1 },
    ],
    [5],
  ),
]

const dictionary = (arrays: SaeArrays, name: string, hook = hookName) => ({
  ...{ sae: saeOf(kernels, arrays, arrays.bDec.length, hook) as Sae, directory: name },
})

const measure = (dictionaries: SplittingInputs['dictionaries']): Promise<Splitting> =>
  measureSplitting(config, { model, corpus, dictionaries })

/** In another order than by size. */
const mixed = () => [dictionary(sizes[1], 'b'), dictionary(sizes[2], 'c'), dictionary(sizes[0], 'a')]

test('a direction that splits, one that stays, one that is lost and one that is new are found', async () => {
  const { summary, features } = await measure(mixed())
  assert.deepEqual(
    summary.sizes.map(({ directory, features, judged, underpowered, dead }) => ({
      ...{ directory, features, judged, underpowered, dead },
    })),
    [
      { directory: 'a', features: 3, judged: 3, underpowered: 0, dead: 0 },
      { directory: 'b', features: 4, judged: 4, underpowered: 0, dead: 0 },
      { directory: 'c', features: 6, judged: 5, underpowered: 0, dead: 1 },
    ],
  )
  assert.deepEqual(
    summary.steps.map(({ kept, split, lost, ofKept, ofSplit, new: fresh, childCounts }) => ({
      ...{ kept, split, lost, ofKept, ofSplit, fresh, childCounts },
    })),
    [
      { kept: 1, split: 1, lost: 1, ofKept: 1, ofSplit: 2, fresh: 1, childCounts: [1, 1, 1] },
      { kept: 3, split: 1, lost: 0, ofKept: 3, ofSplit: 2, fresh: 0, childCounts: [0, 3, 1] },
    ],
  )
  assert.deepEqual(
    features.map((ofSize) => ofSize.map(({ fate }) => fate)),
    [
      ['split', 'kept', 'lost'],
      ['kept', 'split', 'kept', 'kept'],
      ['last', 'last', 'last', 'last', 'last', 'dead'],
    ],
  )
  assert.deepEqual(
    features.map((ofSize) => ofSize.map(({ parent }) => parent)),
    [
      [null, null, null],
      [null, 0, 0, 1],
      [3, 1, 2, 0, 1, null],
    ],
  )
})

test('parent and child have the cosine of their directions, and one that stays the same correlates at 1', async () => {
  const { features } = await measure(mixed())
  const [, half, , same] = features[1]
  assert.ok(Math.abs((half.cosine as number) - 1 / Math.hypot(1, 0.5)) < 1e-6)
  assert.ok((half.correlation as number) < 0.999)
  assert.deepEqual([same.nearest, same.mostCorrelated], [1, 1])
  for (const value of [same.cosine, same.correlation, same.overlap, same.nearestCosine, same.bestCorrelation])
    assert.ok(Math.abs((value as number) - 1) < 1e-6)
})

test('where dictionaries share directions both criteria name the same feature', async () => {
  const { summary } = await measure(mixed())
  const [first, second] = summary.steps.map(({ agreement }) => agreement)
  assert.deepEqual([first.compared, second.compared], [4, 5])
  assert.deepEqual([first.parentIsNearest, second.parentIsNearest], [1, 1])
  assert.deepEqual([first.sameId, second.sameId], [0, 2 / 5])
  const counted = (counts: number[]): number => counts.reduce((sum, count) => sum + count, 0)
  for (const { cosine, correlation } of summary.steps)
    assert.equal(counted(cosine.histogram), counted(correlation.chance.histogram))
  assert.equal(summary.steps[1].cosine.median, 1)
  // The halves of direction 0 have a cosine of 0.894 with it, those of a half 0.94: no threshold up to 0.8 changes a thing.
  for (const { kept, split, lost, sensitivity } of summary.steps)
    for (const other of sensitivity)
      assert.deepEqual([other.kept, other.split, other.lost], [kept, split, lost])
})

test('a tree leads from a feature to all that it ends in, and back', async () => {
  const splitting = await measure(mixed())
  const tree = subtreeOf(splitting, splitting.features[0][0])
  assert.equal(leavesOf(tree), 3)
  assert.deepEqual(tree.children.map(({ feature }) => feature.feature).sort(), [1, 2])
  assert.equal(rootOf(splitting, splitting.features[2][4]), splitting.features[0][0])
  assert.equal(rootOf(splitting, splitting.features[2][3]), splitting.features[1][0])
  const chosen = chooseSubtrees(splitting, { perConcept: 2, others: 3 })
  assert.ok(chosen.some(({ tree }) => tree.feature === splitting.features[0][0]))
})

test('features that fire too rarely are left out and counted', async () => {
  const rare = { ...sizes[1], bEnc: sizes[1].bEnc.slice() }
  const strict = splittingConfigSchema.parse({ ...config, minFires: 1400 })
  const dictionaries = [dictionary(sizes[0], 'a'), dictionary(rare, 'b')]
  const { summary } = await measureSplitting(strict, { model, corpus, dictionaries })
  const [{ judged, underpowered }, larger] = summary.sizes
  assert.equal(judged + underpowered, 3)
  assert.ok(underpowered > 0 && larger.underpowered > 0)
  assert.equal(summary.steps[0].kept + summary.steps[0].split + summary.steps[0].lost, judged)
  assert.match(renderSplitting(summary), /warning: of the 3 features/)
})

test('fewer than two, two of one size, other hook points and other widths are refused', async () => {
  const a = dictionary(sizes[0], 'a')
  await assert.rejects(measure([a]), { code: 'config', message: /at least two autoencoders.*got 1/ })
  await assert.rejects(measure([a, a]), { code: 'config', message: /3 features in both a and a/ })
  const elsewhere = dictionary(sizes[1], 'c', 'blocks.0.mlp.hook_pre')
  await assert.rejects(measure([a, elsewhere]), {
    code: 'config',
    message: /one hook point, got .*hook_post/,
  })
  const wide = dictionary(sizes[1], 'd')
  wide.sae.d = 24
  await assert.rejects(measure([a, wide]), { code: 'shape', message: /width 12 as in a, got 24 in d/ })
})

test('the stage writes what it measured and a report that needs no script', async () => {
  const directories = await Promise.all(
    sizes.map(async (arrays, i) => {
      const directory = join(run.root, `sae-${i}`)
      await writeSae(directory, arrays)
      return directory
    }),
  )
  const out = join(run.root, 'splitting')
  const saes = directories.map((directory, i) => ({
    directory,
    ...(i === 0 && { explanations: new Map([[0, '<b> & co']]) }),
  }))
  await runSplittingStage(config, { ...run.inputs, saes, out }, context)
  const read = await readSplitting(out)
  const { features } = await measure(mixed())
  const shape = ({ features: found }: Pick<Splitting, 'features'>) =>
    found.map((ofSize) =>
      ofSize.map(({ feature, fate, parent, children, tokens }) => ({
        feature,
        fate,
        parent,
        children,
        tokens,
      })),
    )
  assert.deepEqual(shape(read), shape({ features }))
  assert.equal(read.features[0][0].explanation, '<b> & co')
  const report = await readFile(join(out, 'report.html'), 'utf8')
  assert.match(report, /&lt;b&gt; &amp; co/)
  assert.doesNotMatch(report, /<script/)
  assert.match(report, /<h1>Feature splitting<\/h1>/)
})
