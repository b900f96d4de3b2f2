import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { smallRun, sparseArrays } from '../small-run.js'
import { run } from './program.js'

test('specificity, probe and export run from a run directory and say what they found', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays() })
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
  const report = (await answers(['probe', '.', '--data', 'labelled.jsonl', '--sparsity', '1'])) as {
    texts: number
    probes: { name: string; features: { topTokens: string[] }[] | null }[]
  }
  assert.equal(report.texts, 24)
  assert.deepEqual(
    report.probes.map(({ name }) => name),
    ['k-sparse, k = 1', 'L1, all features', 'dense, raw activations', 'token bag'],
  )
  assert.ok((report.probes[0].features?.[0].topTokens.length ?? 0) > 0)

  await answers(['export', 'saedashboard', '--run', '.', '--features', '0-2', '5', '--out', 'dashboards'])
  const [batch] = (await answers(['export', 'read', 'dashboards'])) as {
    features: { feature_index: number }[]
  }[]
  assert.deepEqual(
    batch.features.map(({ feature_index }) => feature_index),
    [0, 1, 2, 5],
  )
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
