import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import type { Kernels, SaePrecision } from '../../src/kernels/kernels.js'
import { createNativeKernels, INSTRUCTION_SETS, type InstructionSet } from '../../src/kernels/native.js'
import { saeRunning } from '../../src/kernels/sae-kernels.js'
import { TOPK, topkForm, trainingOf } from './sae-setup.js'
import { separatedSae } from './separated-sae.js'

/** What each instruction set encodes in besides fp32. */
const LOW: Record<InstructionSet, readonly SaePrecision[]> = {
  avx512bf16: ['bf16', 'int8'],
  avx512vnni: ['int8'],
  avx512: [],
  avx2vnni: ['int8'],
  avx2: [],
  neonbf16: ['bf16', 'int8'],
  neondot: ['int8'],
  baseline: [],
}

/** The kernels of an instruction set, or why there are none. */
function kernelsOf(instructionSet: InstructionSet): Kernels | string {
  try {
    return createNativeKernels({ threads: 1, instructionSet })
  } catch (error) {
    if (error instanceof MonosemError && error.code === 'native') return error.message
    throw error
  }
}

function separated(k: Kernels) {
  const layout = { features: 65, d: 512, activation: topkForm(3).activation }
  return separatedSae(k, 11, layout, 20, true)
}

for (const instructionSet of INSTRUCTION_SETS) {
  const k = kernelsOf(instructionSet)
  const skip = typeof k === 'string' ? k : false

  test(`${instructionSet}: a precision that is not there is fp32, and said to be`, { skip }, () => {
    if (typeof k === 'string') return
    const { params } = separated(k)
    for (const wanted of ['fp32', 'bf16', 'int8'] as const) {
      const packed = k.saePack(params.wEnc, wanted, null)
      assert.equal(packed.precision, LOW[instructionSet].includes(wanted) ? wanted : 'fp32')
      k.saeFreePacked(packed)
    }
  })

  if (!LOW[instructionSet].includes('int8')) continue
  test(`${instructionSet}: int8 that missed too much is given up for fp32`, {
    skip,
  }, async () => {
    if (typeof k === 'string') return
    const { params, x } = separated(k)
    const options = { ...TOPK, form: topkForm(3) }
    const exact = await k.saeEncode(params, x, options.form, null)
    const training = { ...trainingOf(k, params), packed: k.saePack(params.wEnc, 'int8', null) }
    assert.equal((await k.saeStep(training, x, x, options)).precision, 'int8')
    k.fill(k.rows(training.running, saeRunning.recallFailed, 1), 1)
    const { precision, scanned } = await k.saeStep(training, x, x, options)
    assert.equal(precision, 'fp32')
    assert.equal(scanned, LOW[instructionSet].includes('bf16') ? 'bf16' : 'fp32')
    // TOPK leaves the parameters as they are; sums are added up in another order
    const found = await k.saeEncode(params, x, options.form, training.packed)
    assert.deepEqual(found.featureIds, exact.featureIds)
    const wrong = found.values.findIndex((value, i) => !(Math.abs(value - exact.values[i]) < 1e-5))
    assert.equal(wrong, -1)
  })
}
