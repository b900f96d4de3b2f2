import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalQuantile } from '../../src/kernels/normal-quantile.js'

test('normalQuantile gives the values of tables in the middle and in both tails', () => {
  // scipy.stats.norm.ppf
  const known: [number, number][] = [
    [0.5, 0],
    [0.6, 0.2533471031357997],
    [0.975, 1.959963984540054],
    [0.0005, -3.2905267314919255],
    [1e-10, -6.361340902404056],
    [1e-20, -9.26234008979841],
  ]
  for (const [p, z] of known) {
    const found = normalQuantile(p)
    assert.ok(Math.abs(found - z) < 1e-12 * Math.max(1, Math.abs(z)), `${p}: ${found}, expected ${z}`)
  }
})

test('normalQuantile is infinite at 0 and 1', () => {
  assert.equal(normalQuantile(0), -Infinity)
  assert.equal(normalQuantile(1), Infinity)
})
