import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { Random } from '../../../src/random/random.js'
import { measureGeometry } from '../../../src/synthetic/toy/geometry.js'
import { independentFeatures, sampleFeatures } from '../../../src/synthetic/toy/sample-features.js'
import { toyBackward, toyForward, toyWorkspace } from '../../../src/synthetic/toy/toy-gradients.js'
import { importances, startToyModel, type ToyModel } from '../../../src/synthetic/toy/toy-model.js'
import { type ToyTraining, toyLoss, trainToy } from '../../../src/synthetic/toy/train-toy.js'

let kernels: Kernels
before(async () => {
  kernels = await loadKernels({ threads: 1 })
})

/** dL/dparameter by central differences of the loss, which is computed in double precision. */
function finiteDifference(
  model: ToyModel,
  importance: Float32Array,
  x: Float32Array,
  name: 'w' | 'b',
  i: number,
) {
  const at = (step: number): number => {
    const values = Float64Array.from(model[name])
    values[i] += step
    return toyLoss({ ...model, [name]: values }, importance, x)
  }
  return (at(1e-5) - at(-1e-5)) / 2e-5
}

test('gradients agree with finite differences of the loss, for every parameter', async () => {
  for (const implementation of ['native', 'reference'] as const) {
    const kernels = await loadKernels({ implementation })
    const importance = importances(7, 0.8)
    const model = startToyModel(7, 3, new Random(1))
    model.b.set(Float32Array.from({ length: 7 }, (_, i) => 0.1 * (i - 2)))
    const batchSize = 13
    const x = sampleFeatures(independentFeatures(7, 0.4), {
      stream: 'toy training',
      seed: 2,
      index: 0,
      batchSize,
    })
    const params = { w: kernels.tensor(model.w, [7, 3]), b: kernels.tensor(model.b, [7]) }
    const gradients = { w: kernels.zeros([7, 3]), b: kernels.zeros([7]) }
    const workspace = toyWorkspace(kernels, batchSize, 3, importance)
    kernels.write(workspace.x, x)
    toyForward(kernels, params, workspace)
    toyBackward(kernels, params, gradients, workspace)
    for (const name of ['w', 'b'] as const) {
      const found = await kernels.readF32(gradients[name])
      for (let i = 0; i < found.length; i++) {
        const expected = finiteDifference(model, importance, x, name, i)
        assert.ok(
          Math.abs(found[i] - expected) < 1e-5 + 1e-4 * Math.abs(expected),
          `${implementation}, d${name}[${i}]: expected ${expected}, got ${found[i]}`,
        )
      }
    }
  }
})

test('the loss weighs squared errors by importance', () => {
  // h = 2 x_1, pre = (2 h, 0.5): x = (0.25, 0) gives x_hat = (1, 0.5)
  const model = { features: 2, dimensions: 1, w: Float32Array.of(2, 0), b: Float32Array.of(0, 0.5) }
  const loss = toyLoss(model, Float32Array.of(1, 4), Float32Array.of(0.25, 0))
  assert.equal(loss, 0.75 ** 2 + 4 * 0.5 ** 2)
})

const small: ToyTraining = {
  distribution: independentFeatures(4, 1),
  dimensions: 2,
  importance: importances(4, 0.5),
  steps: 500,
  batchSize: 128,
  learningRate: 0.01,
  seed: 0,
}

test('without sparsity the most important features get a dimension each, and the rest is left out', async () => {
  const { norms, dimensionalities, represented } = measureGeometry((await trainToy(kernels, small)).model)
  assert.equal(represented, 2)
  for (const i of [0, 1])
    assert.ok(norms[i] > 0.95 && dimensionalities[i] > 0.95, `feature ${i}: ${norms[i]}`)
  for (const i of [2, 3]) assert.ok(norms[i] < 0.1, `feature ${i}: ${norms[i]}`)
})

test('sparse features of equal importance share dimensions as antipodal pairs', async () => {
  const sparse = { ...small, distribution: independentFeatures(4, 0.1), importance: importances(4, 1) }
  const { model, loss } = await trainToy(kernels, { ...sparse, steps: 1500 })
  const { dimensionalities, gram } = measureGeometry(model)
  for (const dimensionality of dimensionalities)
    assert.ok(Math.abs(dimensionality - 0.5) < 0.03, String(dimensionality))
  for (let i = 0; i < 4; i++) assert.ok(Math.min(...gram.subarray(4 * i, 4 * i + 4)) < -0.8)
  assert.ok(loss < (4 * 0.1) / 3, 'better than the model that says nothing')
})

test('the same options give the same model to the bit, and another seed another one', async () => {
  const short = { ...small, steps: 40 }
  const [first, again, other] = [
    await trainToy(kernels, short),
    await trainToy(kernels, short),
    await trainToy(kernels, { ...short, seed: 1 }),
  ]
  assert.deepEqual(first, again)
  assert.notDeepEqual(first.model.w, other.model.w)
})

test('training stops when it is asked to', async () => {
  await assert.rejects(trainToy(kernels, small, { signal: AbortSignal.abort() }), { code: 'interrupted' })
})

test('training that diverges is an error', async () => {
  await assert.rejects(trainToy(kernels, { ...small, steps: 5, learningRate: 1e30 }), { code: 'diverged' })
})
