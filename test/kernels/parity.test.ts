import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { createNativeKernels, INSTRUCTION_SETS, type InstructionSet } from '../../src/kernels/native.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { misuseTests } from './misuse.js'
import { notANumberTests } from './not-a-number.js'
import { attentionCases } from './parity-attention.js'
import { type Content, differences, firstBitDifference, type ParityCase } from './parity-case.js'
import { elementwiseCases } from './parity-elementwise.js'
import { layerCases } from './parity-layers.js'
import { saeCases } from './parity-sae.js'
import { saeNormalizeCases } from './parity-sae-normalize.js'
import { saeStatisticsCases } from './parity-sae-statistics.js'
import { syntheticCases } from './parity-synthetic.js'
import { transformerCases } from './parity-transformer.js'

const FAMILIES = {
  'memory, elementwise and Adam': elementwiseCases(),
  'transformer layers': transformerCases(),
  'layers of the transformer families': layerCases(),
  attention: attentionCases(),
  'sparse autoencoder': saeCases(),
  'normalised inputs': saeNormalizeCases(),
  'statistics of sparse codes': saeStatisticsCases(),
  'synthetic activations': syntheticCases(),
}

/** The native kernels with each number of threads and each other instruction set, or why there are none here. */
function findNative(): { threads: Kernels[]; others: Kernels[] } | { missing: string } {
  try {
    const threads = [1, 2, 3, 4].map((count) => createNativeKernels({ threads: count }))
    return { threads, others: INSTRUCTION_SETS.flatMap(otherKernels) }
  } catch (error) {
    if (error instanceof MonosemError && error.code === 'native') return { missing: error.message }
    throw error
  }
}

/** Empty where the processor has not got the instruction set. */
function otherKernels(instructionSet: InstructionSet): Kernels[] {
  try {
    return [createNativeKernels({ threads: 2, instructionSet })]
  } catch (error) {
    if (error instanceof MonosemError && error.code === 'native') return []
    throw error
  }
}

const native = findNative()
const reference = createReferenceKernels()

misuseTests('reference', reference)
notANumberTests('reference', reference)

test('the comparison notices a single wrong value', () => {
  const probe: ParityCase = { name: 'probe', tolerance: 1e-5, run: async () => ({}) }
  const good = { a: new Float32Array([1, 2, 3]), b: new Int32Array([1]) }
  assert.deepEqual(differences(probe, good, { ...good, a: new Float32Array([1, 2, 3.00001]) }), [])
  assert.match(differences(probe, good, { ...good, a: new Float32Array([1, 2.001, 3]) })[0], /^probe: a\[1\]/)
  assert.equal(differences(probe, good, { ...good, a: new Float32Array([1, NaN, 3]) }).length, 1)
  assert.equal(differences(probe, good, { ...good, b: new Int32Array([2]) }).length, 1)
  assert.equal(differences(probe, good, { a: good.a }).length, 1)
  assert.equal(firstBitDifference(probe, good, good), null)
  assert.match(
    String(firstBitDifference(probe, { a: new Float32Array([0]) }, { a: new Float32Array([-0]) })),
    /a\[0\]/,
  )
})

/** What the reference computes, kept because every other implementation is compared with it. */
const expected = new Map<ParityCase, Record<string, Content>>()

for (const [family, cases] of Object.entries(FAMILIES)) {
  test(`the reference kernels give no NaN in any case of ${family}`, async () => {
    for (const one of cases) {
      const outputs = await one.run(reference)
      expected.set(one, outputs)
      for (const [name, content] of Object.entries(outputs)) expectNumbers(one, name, content)
    }
  })
}

function expectNumbers(one: ParityCase, name: string, content: Content): void {
  const wrong = content.findIndex((value) => Number.isNaN(value))
  assert.equal(wrong, -1, `${one.name}: ${name}[${wrong}] is NaN`)
}

if ('missing' in native) {
  console.warn(`parity.test: NATIVE KERNELS ARE NOT TESTED: ${native.missing}`)
  for (const family of Object.keys(FAMILIES)) {
    test(`native kernels agree with the reference: ${family}`, { skip: native.missing }, () => {})
  }
} else {
  const [, two] = native.threads
  misuseTests(two.description, two)
  for (const kernels of native.others) notANumberTests(kernels.description, kernels)
  for (const [family, cases] of Object.entries(FAMILIES)) {
    test(`native results are bit-identical for 1, 2, 3 and 4 threads: ${family}`, () =>
      threadsAgree(native.threads, cases))
    for (const kernels of native.others) {
      test(`${kernels.description} agrees with the reference: ${family}`, () => agrees(kernels, cases))
    }
  }
}

async function agrees(kernels: Kernels, cases: readonly ParityCase[]): Promise<void> {
  const problems: string[] = []
  for (const one of cases) {
    problems.push(
      ...differences(one, expected.get(one) ?? (await one.run(reference)), await one.run(kernels)),
    )
  }
  assert.equal(problems.length, 0, `\n${problems.join('\n')}`)
}

async function threadsAgree(byThreads: readonly Kernels[], cases: readonly ParityCase[]): Promise<void> {
  for (const one of cases) {
    const [first, ...others] = await Promise.all(byThreads.map((kernels) => one.run(kernels)))
    for (const other of others) assert.equal(firstBitDifference(one, first, other), null)
  }
}
