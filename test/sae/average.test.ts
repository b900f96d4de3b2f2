import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { updateAverage } from '../../src/sae/average.js'
import { copyOf, readSae, type SaeArrays, saeTensors, writeSae } from '../../src/sae/sae-params.js'

const kernels = createReferenceKernels()

const filled = (value: number): SaeArrays => ({
  wEnc: new Float32Array(6).fill(value),
  bEnc: new Float32Array(3).fill(value),
  wDec: new Float32Array(6).fill(value),
  bDec: new Float32Array(2).fill(value),
  threshold: new Float32Array(3).fill(value),
})

test('the moving average follows every parameter with the decay, which is held down at first', async () => {
  const params = saeTensors(kernels, filled(0))
  const average = copyOf(kernels, params)
  let expected = 0
  for (let step = 0; step < 30; step++) {
    writeSae(kernels, params, filled(step + 1))
    updateAverage(kernels, average, params, 0.6, step)
    const decay = Math.min(0.6, (step + 1) / (step + 10))
    expected = decay * expected + (1 - decay) * (step + 1)
  }
  for (const array of Object.values(await readSae(kernels, average)))
    for (const value of array) assert.ok(Math.abs(value - expected) < 1e-4, `${value}, expected ${expected}`)
})

test('a copy is another tensor', async () => {
  const params = saeTensors(kernels, filled(1))
  const copy = copyOf(kernels, params)
  writeSae(kernels, params, filled(2))
  assert.deepEqual(await readSae(kernels, copy), filled(1))
})
