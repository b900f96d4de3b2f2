import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SaeActivation } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { Random } from '../../src/random/random.js'
import { reluL1 } from '../../src/sae/relu-l1.js'
import { saeConfigSchema } from '../../src/sae/sae-config.js'
import { foldActivationScale, rowNorm, type SaeArrays, saeTensors } from '../../src/sae/sae-params.js'
import { topK } from '../../src/sae/topk.js'

const d = 5
const features = 11
const random = new Random(1)
const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
const arrays: SaeArrays = {
  wEnc: normals(features * d),
  bEnc: normals(features),
  wDec: normals(features * d),
  bDec: normals(d),
}

test('folding the activation scale leaves x_hat unchanged and puts features in raw units', async () => {
  const kernels = await loadKernels()
  const s = 3.7
  const x = normals(20 * d)
  const activations: SaeActivation[] = [{ kind: 'relu' }, { kind: 'topk', k: 3 }]
  for (const activation of activations) {
    const run = async (params: SaeArrays, input: Float32Array) => {
      const tensors = saeTensors(kernels, params, features, d)
      const xTensor = kernels.tensor(input, [20, d])
      const xHat = kernels.zeros([20, d])
      kernels.saeReconstruct(xHat, null, tensors, xTensor, activation)
      return {
        xHat: await kernels.readF32(xHat),
        codes: await kernels.saeEncode(tensors, xTensor, activation),
      }
    }
    const scaled = await run(
      arrays,
      x.map((value) => value * s),
    )
    const raw = await run(foldActivationScale(arrays, s), x)
    for (let i = 0; i < x.length; i++)
      assert.ok(Math.abs(raw.xHat[i] - scaled.xHat[i] / s) < 1e-4, `x_hat ${i}`)
    assert.deepEqual(raw.codes.featureIds, scaled.codes.featureIds)
    raw.codes.values.forEach((value, i) => {
      assert.ok(Math.abs(value - scaled.codes.values[i] / s) < 1e-4, `f ${i}`)
    })
  }
})

test('both architectures start with unit decoder rows, zero encoder bias and the given decoder bias', () => {
  const config = saeConfigSchema.parse({ features })
  for (const architecture of [reluL1, topK]) {
    const bDec = normals(d)
    const start = architecture.initialise(config, bDec, new Random(2))
    for (let j = 0; j < features; j++)
      assert.ok(Math.abs(rowNorm(start.wDec.subarray(j * d, (j + 1) * d)) - 1) < 1e-6)
    assert.deepEqual(start.bEnc, new Float32Array(features))
    assert.deepEqual(start.bDec, bDec)
  }
})

test('the encoder of topk starts as the transpose of its decoder', () => {
  const start = topK.initialise(saeConfigSchema.parse({ features }), new Float32Array(d), new Random(2))
  assert.deepEqual(start.wEnc, start.wDec)
})

test('the L1 penalty rises over its warm-up and the learning rate falls at the end', () => {
  const config = saeConfigSchema.parse({
    l1Coefficient: 2,
    l1WarmupFraction: 0.1,
    warmupFraction: 0,
    decayFraction: 0.2,
  })
  const at = (step: number) => reluL1.stepOptions(config, { step, totalSteps: 100 })
  assert.equal(at(4).l1Coefficient, 1)
  assert.equal(at(50).l1Coefficient, 2)
  assert.equal(at(50).adam.learningRate, config.learningRate)
  assert.equal(at(90).adam.learningRate, config.learningRate / 2)
  assert.equal(at(90).adam.step, 91)
})

test('topk has no L1 penalty, and AuxK only while its coefficient is not 0', () => {
  const at = (values: object) => topK.stepOptions(saeConfigSchema.parse(values), { step: 0, totalSteps: 10 })
  assert.equal(at({}).l1Coefficient, 0)
  assert.deepEqual(at({ auxK: 9, deadAfterTokens: 7 }).auxK, {
    k: 9,
    coefficient: 1 / 32,
    deadAfterTokens: 7,
  })
  assert.equal(at({ auxKCoefficient: 0 }).auxK, undefined)
  assert.deepEqual(at({ k: 50, features: 8 }).activation, { kind: 'topk', k: 8 })
})
