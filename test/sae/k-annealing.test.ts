import assert from 'node:assert/strict'
import { test } from 'node:test'
import { architectures } from '../../src/sae/architectures/index.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import { type SaeConfig, saeConfigSchema } from '../../src/sae/sae-config.js'

const config = (values: Partial<SaeConfig>) =>
  resolveSaeConfig(saeConfigSchema.parse({ architecture: 'batchtopk', features: 64, k: 4, ...values }), 16)

/** k of the forward pass at some steps of 10. */
function ks(values: Partial<SaeConfig>): number[] {
  const resolved = config(values)
  return [0, 1, 2, 3, 4, 9].map((step) => {
    const { activation } = architectures[resolved.architecture].stepOptions(resolved, {
      step,
      totalSteps: 10,
    }).form
    return 'k' in activation ? activation.k : Number.NaN
  })
}

test('k falls from initialK in equal parts over the first share of the steps', () => {
  for (const architecture of ['topk', 'batchtopk', 'matryoshka'] as const)
    assert.deepEqual(ks({ architecture, initialK: 12, kAnnealFraction: 0.4 }), [12, 10, 8, 6, 4, 4])
})

test('without initialK, or without steps to fall in, k is k from the start', () => {
  assert.deepEqual(ks({}), [4, 4, 4, 4, 4, 4])
  assert.deepEqual(ks({ initialK: 12, kAnnealFraction: 0 }), [4, 4, 4, 4, 4, 4])
})

test('an initialK below k or above the number of features is refused', () => {
  for (const initialK of [3, 65])
    assert.throws(() => config({ initialK }), {
      code: 'config',
      message: /expected initialK from 4, which is k, to 64/,
    })
  assert.equal(config({ architecture: 'relu', initialK: 3 }).initialK, 3)
})
