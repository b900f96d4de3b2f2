import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noMpi } from './find-mpi.js'
import type { CaseResult } from './programs/gradients.js'
import { runRanks } from './run-ranks.js'
import { stepCases } from './step-cases.js'

const runs = new Map<string, Promise<CaseResult[]>>()

/** All cases on a mesh; started once. */
function trainOn(featureRanks: number, dataRanks: number, gradients = 'f32'): Promise<CaseResult[]> {
  const args = [`${featureRanks}x${dataRanks}`, gradients]
  const run = runs.get(args.join()) ?? start(featureRanks * dataRanks, args)
  runs.set(args.join(), run)
  return run
}

async function start(ranks: number, args: string[]): Promise<CaseResult[]> {
  const { code, stdout, stderr } = await runRanks(ranks, 'test/distributed/programs/gradients.js', args)
  assert.equal(code, 0, stderr)
  const results = JSON.parse(stdout) as CaseResult[]
  assert.equal(results.length, stepCases.length)
  return results
}

function requireClose(results: CaseResult[], tolerance: number): void {
  for (const { name, difference, differsIn, identical } of results) {
    assert.ok(identical, `${name}: replicas differ`)
    assert.ok(difference <= tolerance, `${name}: ${differsIn} differs by ${difference}`)
  }
}

/** Bytes a step that one of `ranks` replicas sends of `features` features, D + Dout wide, and of b_dec. */
function gradientBytes(ranks: number, features: number, width: number, dOut: number, bytes = 4): number {
  return ((2 * (ranks - 1)) / ranks) * (features * (width * bytes + 9 * 8) + dOut * 4)
}

const named = (results: CaseResult[], name: string): CaseResult => {
  const found = results.find((result) => result.name === name)
  assert.ok(found, name)
  return found
}

for (const [featureRanks, dataRanks] of [
  [1, 2],
  [1, 3],
  [2, 2],
  [3, 1],
])
  test(`steps of ${featureRanks} x ${dataRanks} ranks are those of one`, {
    skip: noMpi ?? false,
  }, async () => {
    const results = await trainOn(featureRanks, dataRanks)
    requireClose(results, 1e-5)
    if (dataRanks === 1) return
    const [everywhere, somewhere, nowhere] = named(results, 'topk').fires
    assert.ok(everywhere > 0 && somewhere > 0 && nowhere > 0, 'features fire on all, on some and on no ranks')
  })

test('gradients that cross in bf16', { skip: noMpi ?? false }, async () => {
  const results = await trainOn(1, 2, 'bf16')
  requireClose(results, 2e-2)
  assert.ok(results.some(({ difference }) => difference > 1e-4))
})

test('only gradients of features that fire somewhere cross', { skip: noMpi ?? false }, async () => {
  const near = (actual: number, expected: number): void =>
    assert.ok(Math.abs(actual / expected - 1) < 0.02, `${actual} bytes, expected ${expected}`)
  for (const [ranks, gradients, bytes] of [
    [2, 'f32', 4],
    [2, 'bf16', 2],
    [3, 'f32', 4],
  ] as const) {
    const results = await trainOn(1, ranks, gradients)
    near(named(results, 'relu of many features').bytes, gradientBytes(ranks, 4500, 16, 8, bytes))
    const { bytes: measured, active } = named(results, 'topk of many features')
    assert.ok(active < 3000)
    near(measured, gradientBytes(ranks, active, 16, 8, bytes) + (4500 / 8) * (ranks - 1))
  }
})
