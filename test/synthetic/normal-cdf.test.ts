import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalQuantile } from '../../src/kernels/normal-quantile.js'
import { normalCdf } from '../../src/synthetic/normal-cdf.js'

test('normalCdf undoes normalQuantile from one tail to the other', () => {
  for (const p of [1e-15, 1e-9, 1e-4, 0.02, 0.3, 0.5, 0.77, 0.999, 1 - 1e-6]) {
    const found = normalCdf(normalQuantile(p))
    assert.ok(Math.abs(found - p) < 1e-12 * p + 1e-15, `${p}: ${found}`)
  }
})
