import assert from 'node:assert/strict'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Score } from '../../../src/explain/evidence.js'
import { explainReport } from '../../../src/explain/explain-report.js'
import { openExplanations } from '../../../src/explain/explanations.js'
import { meanInterval } from '../../../src/explain/mean-interval.js'
import { thinned } from '../../../src/server/overview/curves.js'
import { createOverviews, readOverview } from '../../../src/server/overview/overview.js'
import { type Figure, type Overview, overviewSchema } from '../../../src/server/protocol.js'
import { jsonOf } from '../../../src/server/stored-answer.js'
import { evalFile, lines, madeRun, madeStage, overviewSource } from '../made-run.js'

const figure = (part: { figures: Figure[] } | null, name: string): Figure => {
  const found = part?.figures.find((one) => one.name === name)
  assert.ok(found, `there is a figure ${name}`)
  return found
}

/** The value that the source of a figure names: "file: field". */
async function traced(root: string, source: string): Promise<unknown> {
  const [, file, field] = /^(\S+): (.+)$/.exec(source) ?? []
  let value: unknown = JSON.parse(await readFile(join(root, file), 'utf8'))
  for (const key of field.split('.')) value = (value as Record<string, unknown>)[key]
  return value
}

test('every figure is the number that its source names', async (t) => {
  const root = await madeRun(t)
  const run = await overviewSource(t, root)
  const overview = overviewSchema.parse(await readOverview(run, [run]))
  const { corpus, model, sae, evaluation } = overview
  const figures = [corpus, model, sae, evaluation].flatMap((part) => part?.figures ?? [])
  assert.equal(figures.length, 7 + 10 + 8 + 13)
  for (const { name, value, source } of figures)
    if (name !== 'expansion') assert.equal(value, await traced(root, source), source)
  assert.equal(figure(sae, 'expansion').value, 4)
  assert.equal(figure(corpus, 'splits.train.bytesPerToken').value, 2.5)
  assert.deepEqual(figure(evaluation, 'l0').interval, [3.25, 3.75])
  assert.deepEqual(figure(evaluation, 'losses.clean').interval, [2.9, 3.1])
  assert.equal(figure(evaluation, 'lossRecoveredMean').value, null)
  assert.equal(figure(evaluation, 'kl').interval, null)
  assert.equal(sae?.architecture, 'relu')
  assert.deepEqual(corpus?.kinds[1], { name: 'dna', documents: 3, bytes: 400, tokens: 200 })
  assert.deepEqual([overview.explanations, overview.problems], [null, []])
})

test('curves, the histogram, case studies and the frontier are those of the files', async (t) => {
  const root = await madeRun(t)
  const run = await overviewSource(t, root)
  const { model, sae, density, caseStudies, frontier, reports } = await readOverview(run, [run])
  assert.deepEqual(model?.curves, [
    { name: 'loss', tokens: [0, 10, 20], values: [8, 7, 6] },
    { name: 'learningRate', tokens: [0, 10, 20], values: [0.1, 0.1, 0.1] },
  ])
  assert.deepEqual(
    sae?.curves.map(({ name, values }) => [name, values]),
    [
      ['loss', [2, 2]],
      ['l0', [0, 1]],
      ['threshold', [0.5, null]],
    ],
  )
  const source = 'eval/eval.json: density.histogram'
  assert.deepEqual(density, { edges: [-2, -1, 0], counts: [6, 8], dead: 2, source })
  assert.deepEqual(caseStudies, [
    {
      ...{ name: 'dna', feature: 3, correlation: 0.5, precisionAboveHalfMax: 1, recall: null },
      bestNeuronCorrelation: 0.25,
    },
  ])
  const point = { run: 'demo', architecture: 'relu', features: 16, l0: 3.5, lossRecovered: 0.9 }
  assert.deepEqual(frontier, [{ ...point, name: 'eval' }])
  assert.deepEqual(
    reports.map(({ name }) => name),
    ['case-studies/case-studies.json', 'eval/eval.json'],
  )
})

test('a curve is thinned to 500 points, its first and its last among them', async (t) => {
  assert.deepEqual(thinned([1, 2, 3, 4, 5], 3), [1, 3, 5])
  assert.deepEqual(thinned([1, 2], 3), [1, 2])
  const root = await madeRun(t)
  await rm(join(root, 'model'), { recursive: true })
  await madeStage(root, 'model', { 'metrics.jsonl': lines(1201, (i) => ({ tokens: i, loss: 1201 - i })) })
  const run = await overviewSource(t, root)
  const [{ tokens, values }] = (await readOverview(run, [run])).model?.curves ?? []
  assert.deepEqual([tokens.length, tokens[0], tokens[499]], [500, 0, 1200])
  assert.deepEqual([values[0], values[499]], [1201, 1])
  assert.ok(tokens.every((one, i) => i === 0 || one > tokens[i - 1]))
})

test('the evaluations of all served runs make the frontier, each with its autoencoder', async (t) => {
  const [root, other] = [await madeRun(t), await madeRun(t)]
  const sae = await madeStage(
    other,
    'sae-topk',
    { 'cfg.json': { architecture: 'topk', d_in: 4, d_sae: 32 } },
    { stage: 'sae' },
  )
  const wide = { ...evalFile, features: 32, l0: 2, lossRecovered: null }
  await madeStage(other, 'eval-topk', { 'eval.json': wide }, { stage: 'eval', inputs: { sae } })
  const runs = [await overviewSource(t, root), await overviewSource(t, other, 'wide')]
  const point = { architecture: 'relu', features: 16, l0: 3.5, lossRecovered: 0.9 }
  const expected = [
    { run: 'demo', name: 'eval', ...point },
    { run: 'wide', name: 'eval', ...point },
    { ...{ run: 'wide', name: 'eval-topk', architecture: 'topk', features: 32, l0: 2, lossRecovered: null } },
  ]
  for (const run of runs) assert.deepEqual((await readOverview(run, runs)).frontier, expected)
})

test('a part that is missing is null; one that cannot be read is null and among the problems', async (t) => {
  const root = await madeRun(t)
  for (const part of ['corpus', 'case-studies']) await rm(join(root, part), { recursive: true })
  await rename(join(root, 'model'), join(root, 'model.partial'))
  await writeFile(join(root, 'eval', 'eval.json'), '{}')
  await rm(join(root, 'sae'), { recursive: true })
  await madeStage(root, 'sae', { 'cfg.json': { architecture: 3 } })
  const run = await overviewSource(t, root)
  const overview = overviewSchema.parse(await readOverview(run, [run]))
  const parts: (keyof Overview)[] = ['corpus', 'caseStudies', 'model', 'evaluation', 'density', 'sae']
  for (const part of parts) assert.equal(overview[part], null, part)
  assert.deepEqual(overview.frontier, [])
  const problems = overview.problems.map(({ part, message }) => `${part}: ${message}`).sort()
  assert.equal(problems.length, 3)
  assert.match(problems[0], /^eval: .*expected \d+ bytes, got 2/)
  assert.match(problems[1], /^model: model is not finished/)
  assert.match(problems[2], /^sae: sae\/cfg.json does not hold what is expected/)
  assert.ok(overview.problems.every(({ hint }) => hint))
  const warned = await readOverview({ ...run, warnings: ['the map is of other features'] }, [run])
  assert.equal(warned.problems[0].message, 'the map is of other features')
})

test('an evaluation of an autoencoder that was replaced since is a problem, not a point', async (t) => {
  const root = await madeRun(t)
  await rm(join(root, 'sae'), { recursive: true })
  await madeStage(root, 'sae', { 'cfg.json': { architecture: 'topk', d_in: 4, d_sae: 16 } })
  const run = await overviewSource(t, root)
  const { frontier, problems } = await readOverview(run, [run])
  assert.deepEqual(frontier, [])
  assert.deepEqual(
    problems.map(({ part }) => part),
    ['demo/eval'],
  )
  assert.match(problems[0].message, /is not the sae that/)
})

test('means over explanations are those of the report of monosem explain', async (t) => {
  const root = await madeRun(t)
  const store = await openExplanations(join(root, 'explanations'), join(root, 'features'))
  const scores = (spearman: number | null, singleToken: number): Score[] => [
    {
      scorer: 'spearman',
      value: spearman,
      reason: spearman === null ? 'r' : null,
      n: 9,
      details: { singleToken },
    },
    { scorer: 'shuffled', value: 0.125, reason: null, n: 9, details: { feature: 1, singleToken } },
    { scorer: 'neuron', value: 0.25, reason: null, n: 1, details: { singleToken } },
    { scorer: 'detection', value: 0.5, reason: null, n: 9, details: { singleToken } },
  ]
  const explained = (feature: number, spearman: number | null, single = 0) => ({
    ...{ feature, text: `t ${feature}`, explainer: 'statistics', configuration: 'c', examples: 'e' },
    scores: scores(spearman, single),
  })
  // An earlier explanation of a feature counts no more; a label has no score.
  await store.append([explained(1, 0)])
  await store.append([explained(1, 0.5), explained(2, 0.75), explained(3, 1, 1), explained(4, null)])
  await store.putUserNotes(2, { label: 'mine', note: null })
  const neurons = { mean: 0.4, low: 0.3, high: 0.5, n: 12 }
  const dropped = [
    { id: 5, reason: 'dead' },
    { id: 6, reason: 'rare' },
    { id: 7, reason: 'rare' },
  ]
  await store.keepNote('statistics c', { neurons, dropped })
  const run = await overviewSource(t, root)
  const { explanations } = await readOverview(run, [run])
  const newest = (await store.list({ explainer: 'statistics' })).filter(({ id }) => id > 1)
  const { aggregates } = explainReport('statistics', newest, { dropped: [], failed: [] }, neurons)
  const expected = {
    spearman: aggregates.features,
    spearmanWithoutSingleToken: aggregates.withoutSingleToken,
    spearmanSingleToken: aggregates.singleToken,
    shuffled: aggregates.shuffled,
    bestNeuron: aggregates.bestNeuron,
    neurons,
    detection: meanInterval([0.5, 0.5, 0.5, 0.5]),
  }
  for (const [name, { mean, low, high }] of Object.entries(expected)) {
    const { value, interval } = figure(explanations, name)
    assert.ok(Math.abs((value as number) - (mean as number)) < 1e-12, name)
    if (low === null || high === null) assert.equal(interval, null, name)
    else assert.ok(interval && Math.abs(interval[0] - low) + Math.abs(interval[1] - high) < 1e-12, name)
  }
  assert.equal(figure(explanations, 'spearman').value, 0.75)
  const counts = ['explained', 'labels', 'dead', 'rare'].map((name) => figure(explanations, name).value)
  assert.deepEqual(counts, [4, 1, 1, 2])
  assert.equal(explanations?.figures.length, 11)
})

test('figures of several explainers are told apart', async (t) => {
  const root = await madeRun(t)
  const store = await openExplanations(join(root, 'explanations'), join(root, 'features'))
  const rest = { configuration: 'c', examples: 'e', scores: [] }
  await store.append(
    ['statistics', 'openai:m'].map((explainer) => ({ feature: 1, text: 't', explainer, ...rest })),
  )
  const run = await overviewSource(t, root)
  const names = (await readOverview(run, [run])).explanations?.figures.map(({ name }) => name)
  assert.deepEqual(names, ['explained openai:m', 'explained statistics'])
})

test('an overview is made once, and again when a file or a label has changed', async (t) => {
  const root = await madeRun(t)
  const run = await overviewSource(t, root)
  const overviews = createOverviews(0)
  const first = await overviews.get(run, [run])
  assert.ok((await overviews.get(run, [run])) === first, 'the same object: nothing was read')
  const study = { name: 'x', feature: null, correlation: null, precisionAboveHalfMax: null, recall: null }
  await rm(join(root, 'case-studies'), { recursive: true })
  await madeStage(root, 'case-studies', { 'case-studies.json': [{ ...study, bestNeuronCorrelation: null }] })
  const second = await overviews.get(run, [run])
  assert.notEqual(second.hash, first.hash)
  assert.equal((JSON.parse(String(await jsonOf(second))) as Overview).caseStudies?.[0].name, 'x')
  const store = await openExplanations(join(root, 'explanations'), join(root, 'features'))
  await store.putUserNotes(1, { label: 'x', note: null })
  const third = await overviews.get(run, [run])
  assert.equal(figure((JSON.parse(String(await jsonOf(third))) as Overview).explanations, 'labels').value, 1)
  assert.ok((await overviews.get(run, [run])) === third)
})
