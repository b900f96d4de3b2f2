import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import type { SaeRanks } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { RELU_FORM, setup, TOPK, topkForm } from '../kernels/sae-setup.js'
import { noMpi } from './find-mpi.js'
import type { KernelsResult } from './programs/kernels.js'
import { runRanks } from './run-ranks.js'

for (const ranks of [2, 3])
  test(`${ranks} ranks that share features find the codes of one`, { skip: noMpi ?? false }, async () => {
    const { code, stdout, stderr } = await runRanks(ranks, 'test/distributed/programs/kernels.js')
    assert.equal(code, 0, stderr)
    const { readings, steps, stopped } = JSON.parse(stdout) as KernelsResult
    assert.equal(readings.length, 30)
    for (const { name, sameCodes, entries, identical, difference } of readings) {
      assert.ok(entries > 0, name)
      assert.ok(sameCodes, `codes of ${name}`)
      assert.ok(identical, `${name}: every rank has the whole reconstruction`)
      assert.ok(difference < 1e-5, `${name}: ${difference}`)
    }
    assert.equal(steps.length, 9)
    for (const { name, identical, repeatable, difference, differsIn } of steps) {
      assert.ok(difference < 1e-5, `${name}: ${difference} in ${differsIn}`)
      assert.ok(identical, `${name}: what all ranks have is the same`)
      assert.ok(repeatable, `${name}: threads change nothing`)
    }
    for (const { name, bytes, predicted } of steps.filter(({ name }) => name.endsWith('traffic')))
      assert.ok(
        Math.abs(bytes / predicted - 1) < 0.05,
        `${name}: ${bytes} bytes a step, expected ${predicted}`,
      )
    // the first bad row of the whole batch; it is not on the first rank
    assert.deepEqual(stopped, {
      badRows: Array(ranks).fill(6),
      skippedRows: Array(ranks).fill(0),
      unchanged: true,
    })
  })

const shared: SaeRanks = {
  features: {},
  data: null,
  firstFeature: 9,
  totalFeatures: 27,
  firstRow: 0,
  totalRows: 6,
}

test('the reference kernels are for one rank', async () => {
  const k = createReferenceKernels()
  const { training, x, y } = setup(k, 1, TOPK)
  const { params } = training
  const native = (error: unknown): boolean => error instanceof MonosemError && error.code === 'native'
  assert.throws(() => k.saeStep(training, x, y, { ...TOPK, ranks: shared }), native)
  assert.throws(() => k.saeEncode(params, x, RELU_FORM, null, shared), native)
  assert.throws(() => k.saeReconstruct(x, null, params, x, y, RELU_FORM, null, shared), native)
  const codes = await k.saeEncode(params, x, RELU_FORM, null)
  assert.throws(() => k.saeDecode(x, params, codes, x, shared), native)
  // all features and rows are no parts
  const whole = { ...shared, features: null, firstFeature: 0, totalFeatures: 9 }
  assert.deepEqual(await k.saeEncode(params, x, RELU_FORM, null, whole), codes)
})

test('parts of features and rows have to lie in the whole', () => {
  const k = createReferenceKernels()
  const { training, x, y } = setup(k, 1, TOPK)
  const rejects = (change: Partial<SaeRanks>, message: RegExp): void => {
    assert.throws(() => k.saeStep(training, x, y, { ...TOPK, ranks: { ...shared, ...change } }), {
      code: 'shape',
      message,
    })
  }
  rejects({ firstFeature: 19 }, /saeStep: expected ranks whose features lie in 0 \.\. 26, got 19 \.\. 27/)
  rejects({ features: null }, /expected all 27 features, got 9 \.\. 17/)
  rejects({ firstFeature: -1 }, /ranks.firstFeature/)
  rejects({ totalRows: 7 }, /expected all 7 rows, got 0 \.\. 5/)
  rejects({ data: {}, firstRow: 2 }, /expected ranks whose rows lie in 0 \.\. 5, got 2 \.\. 7/)
  // k and prefixes count in the whole
  assert.throws(() => k.saeStep(training, x, y, { ...TOPK, form: topkForm(28), ranks: shared }), /k/)
  assert.throws(() => k.saeStep(training, x, y, { ...TOPK, prefixes: [3, 9], ranks: shared }), /F = 27/)
})
