import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { readVariations } from '../../src/config/variations.js'

const schema = z.strictObject({
  learningRate: z.number().positive().default(1),
  seed: z.number().int().default(0),
  architecture: z.enum(['relu', 'topk']).default('relu'),
  resampleAt: z.array(z.number()).default([]),
})

test('every combination of the values is made, the last option changing fastest', () => {
  assert.deepEqual(readVariations(['learningRate=1e-3,2', 'seed=0,1'], schema), [
    { name: 'learning-rate-1e-3_seed-0', values: { learningRate: 1e-3, seed: 0 } },
    { name: 'learning-rate-1e-3_seed-1', values: { learningRate: 1e-3, seed: 1 } },
    { name: 'learning-rate-2_seed-0', values: { learningRate: 2, seed: 0 } },
    { name: 'learning-rate-2_seed-1', values: { learningRate: 2, seed: 1 } },
  ])
  assert.deepEqual(readVariations(['architecture=topk'], schema), [
    { name: 'architecture-topk', values: { architecture: 'topk' } },
  ])
})

test('mistakes are refused with what was expected', () => {
  const refuses = (settings: string[], message: RegExp): void =>
    assert.throws(() => readVariations(settings, schema), { code: 'config', message })
  refuses(['seed'], /--vary: expected option=value,value, got "seed"/)
  refuses(['size=1'], /size is not an option that can be varied/)
  refuses(['resampleAt=0.1,0.2'], /resampleAt is not an option that can be varied/)
  refuses(['seed=0,1', 'seed=2'], /expected seed once/)
  refuses(['seed=0,0'], /expected every value once/)
})
