import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alignedNeurons } from '../../src/features/neurons.js'

test('aligned neurons are the largest entries of the decoder row with their share of its L1 norm', () => {
  assert.deepEqual(alignedNeurons(Float32Array.of(0.5, -2, 0, 1.5), 2), [
    { neuron: 1, value: -2, l1: 0.5 },
    { neuron: 3, value: 1.5, l1: 0.375 },
  ])
  assert.equal(alignedNeurons(Float32Array.of(1, 2), 9).length, 2)
  assert.deepEqual(alignedNeurons(new Float32Array(4), 2), [])
})
