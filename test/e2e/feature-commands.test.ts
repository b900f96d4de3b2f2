import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openExplanations } from '../../src/explain/explanations.js'
import { featuresConfigSchema } from '../../src/features/features-config.js'
import { runFeaturesStage } from '../../src/features/features-stage.js'
import { context, smallFeatures, smallRun, sparseArrays } from '../small-run.js'
import { run } from './program.js'

test('specificity, probe and export run from a run directory and say what they found', async (t) => {
  const { root, paths } = await smallRun(t, { arrays: sparseArrays() })
  const answers = async (args: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run([...args, '--json'], root)
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  const [specificity] = (await answers([
    ...['features', 'specificity', '0', '--run', '.', '--script', 'Arabic', '--levels', '3'],
  ])) as { concept: string; positives: number; intervals: unknown[] }[]
  assert.equal(specificity.concept, 'Arabic')
  assert.ok(specificity.positives > 0 && specificity.intervals.length === 4)

  const texts = Array.from({ length: 24 }, (_, i) => ({
    text: i % 2 ? `Line ${i} says سلام` : `Line ${i} says hello`,
    label: i % 2 ? 'ar' : 'en',
  }))
  await writeFile(join(root, 'labelled.jsonl'), texts.map((entry) => JSON.stringify(entry)).join('\n'))
  const store = await openExplanations(join(root, 'explanations'), paths.features)
  await store.append(
    Array.from({ length: smallFeatures }, (_, feature) => ({
      ...{
        feature,
        text: `label ${feature}`,
        explainer: 'user',
        configuration: null,
        examples: null,
        scores: [],
      },
    })),
  )
  const report = (await answers(['probe', '.', '--data', 'labelled.jsonl', '--sparsity', '1'])) as {
    texts: number
    probes: {
      name: string
      features: { feature: number; topTokens: string[]; explanation: string | null }[] | null
    }[]
  }
  assert.equal(report.texts, 24)
  assert.deepEqual(
    report.probes.map(({ name }) => name),
    ['k-sparse, k = 1', 'L1, all features', 'dense, raw activations', 'token bag'],
  )
  assert.ok((report.probes[0].features?.[0].topTokens.length ?? 0) > 0)

  const named = report.probes.flatMap(({ features }) => features ?? [])
  assert.ok(named.length > 0)
  for (const { feature, explanation } of named) assert.equal(explanation, `label ${feature}`)

  await answers(['export', 'saedashboard', '--run', '.', '--features', '0-2', '5', '--out', 'dashboards'])
  const [batch] = (await answers(['export', 'read', 'dashboards'])) as {
    features: { feature_index: number }[]
  }[]
  assert.deepEqual(
    batch.features.map(({ feature_index }) => feature_index),
    [0, 1, 2, 5],
  )
})

test('what one command found out is shown by the others, and only for the features that it is about', async (t) => {
  const { root, inputs } = await smallRun(t, { arrays: sparseArrays() })
  const answer = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run([...args, '--run', '.'], root)
    assert.equal(code, 0, stderr)
    return stdout
  }
  const show = ['features', 'show', '0']
  const [bare] = JSON.parse(await answer(...show, '--json'))
  const { explanations, cluster, neighbours, effects } = bare
  assert.deepEqual(
    { explanations, cluster, neighbours, effects },
    {
      ...{ explanations: [], cluster: null, neighbours: [], effects: [] },
    },
  )
  assert.doesNotMatch(await answer(...show), /nearest by decoder|in nats/)

  await answer('features', 'map', '--neighbours', '3')
  await answer('features', 'ablate', '--examples-per-feature', '2')
  const [before] = JSON.parse(await answer(...show, '--json'))
  assert.equal(before.neighbours.length, 3)
  const near = String(before.neighbours[0].feature)
  await answer('explanations', 'add', '0', 'greetings of all kinds')
  await answer('explanations', 'add', near, 'a neighbour')
  const [full] = JSON.parse(await answer(...show, '--json'))
  assert.deepEqual(full.neighbours[0], { ...before.neighbours[0], explanation: 'a neighbour' })
  assert.ok(full.effects.length > 0)
  const page = await answer(...show)
  assert.match(page, /^feature 0 .*\ngreetings of all kinds {2}by hand\n/)
  assert.match(page, new RegExp(`^ +${near} +[+−]\\d\\.\\d\\d +a neighbour$`, 'm'))
  assert.match(page, /effect of its absence on an example: [+−]/)
  const list = await answer('features', 'list')
  assert.match(list, /explanation .*\n(.*\n)* +0 .*greetings of all kinds/)

  const attributed = await answer('attribute', '--prompt', 'Line 3 says', '--target', ' ', '--top', '8')
  assert.match(attributed, /explanation(.*\n)*.*(greetings of all kinds|a neighbour)/)

  await answer('export', 'neuronpedia', '--out', 'neuronpedia')
  const rows = async (table: string) => {
    const at = join(root, 'neuronpedia', 'monosem', '0-sae', table)
    const [file] = await readdir(at)
    const text = gunzipSync(await readFile(join(at, file))).toString('utf8')
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
  const texts = (await rows('explanations')).map(({ description }) => description)
  assert.deepEqual(texts.sort(), ['a neighbour', 'greetings of all kinds'])
  const [exported] = await rows('features')
  assert.deepEqual(
    exported.topkCosSimIndices,
    full.neighbours.map(({ feature }: { feature: number }) => feature),
  )

  const config = featuresConfigSchema.parse({ tokens: 500 })
  await runFeaturesStage(config, { ...inputs, out: join(root, 'others') }, context)
  const refuses = async (args: string[], message: RegExp): Promise<void> => {
    const { code, stderr } = await run([...show, '--feature-store', 'others', ...args], root)
    assert.equal(code, 2, stderr)
    assert.match(stderr, message)
  }
  await refuses(['--feature-map', 'feature-map'], /was not made from the features in others/)
  await refuses(['--ablation', 'ablation'], /was not made from the features in others/)
  await refuses(['--explanations', 'explanations'], /holds explanations of other features/)
  const missing = await run([...show, '--feature-store', 'features', '--feature-map', 'none'], root)
  assert.match(missing.stderr, /none/)
  assert.equal(missing.code, 1)
})

test('what cannot be done is said before anything is written', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays() })
  const refuses = async (args: string[], message: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await run([...args, '--run', '.'], root)
    assert.ok(code === 1 || code === 2, args.join(' '))
    assert.match(stderr, message)
    assert.equal(stdout, '')
  }
  await refuses(['features', 'specificity', '0'], /exactly one of --regex, --script/)
  await refuses(
    ['features', 'specificity', '99', '--script', 'Arabic'],
    /feature 99: expected a whole number from 0 to 7/,
  )
  await refuses(['probe'], /--data: expected a file of labelled texts/)
  await refuses(['export', 'neuronpedia', '--features', '8', '--out', 'x'], /feature 8: .* from 0 to 7/)
  await refuses(['export', 'circuit-tracer'], /--out: expected a directory/)
})
