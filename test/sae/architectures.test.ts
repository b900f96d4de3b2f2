import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Slice, sliceOf } from '../../src/distributed/mesh.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'
import { architectures } from '../../src/sae/architectures/index.js'
import type { InitialStatistics } from '../../src/sae/initial-statistics.js'
import { resolveSaeConfig } from '../../src/sae/resolve-config.js'
import { createSaeParts, encode } from '../../src/sae/sae.js'
import { architectureNames, saeConfigSchema } from '../../src/sae/sae-config.js'
import { rowNorm } from '../../src/sae/sae-params.js'

const [d, features] = [5, 11]
const random = new Random(1)
const normals = (n: number) => Float32Array.from({ length: n }, () => random.normal())
const statistics: InitialStatistics = {
  d,
  dOut: d,
  scales: { input: 1, target: 1 },
  mean: normals(d),
  inputVariance: d,
  median: normals(d),
  variance: d,
  smoothing: new Float32Array(d).fill(1),
  skippedRows: 0,
}
const resolve = (values: object) => resolveSaeConfig(saeConfigSchema.parse({ features, k: 3, ...values }), d)
const startOf = (values: object, about = statistics) => {
  const config = resolve(values)
  return architectures[config.architecture].initialise(config, about, new Random(2))
}
const stepOf = (values: object, step: number, totalSteps = 100) => {
  const config = resolve(values)
  return architectures[config.architecture].stepOptions(config, { step, totalSteps })
}
const norms = (matrix: Float32Array, width: number) =>
  Array.from({ length: matrix.length / width }, (_, j) =>
    rowNorm(matrix.subarray(j * width, (j + 1) * width)),
  )
const close = (a: number, b: number) => Math.abs(a - b) < 1e-6

test('architectures with a unit decoder start with one, and with the median as decoder bias', () => {
  for (const architecture of architectureNames) {
    const start = startOf({ architecture })
    if (!stepOf({ architecture }, 0).unitNormDecoder) continue
    assert.ok(
      norms(start.wDec, d).every((norm) => close(norm, 1)),
      architecture,
    )
    assert.deepEqual(start.bDec, statistics.median, architecture)
  }
})

test('relu and gated start with a small encoder along the decoder; topk with the decoder itself', () => {
  for (const architecture of ['relu', 'gated']) {
    const { wEnc, wDec } = startOf({ architecture })
    wDec.forEach((value, i) => {
      assert.ok(close(wEnc[i], (value * d) / features), architecture)
    })
  }
  for (const architecture of ['topk', 'batchtopk', 'matryoshka']) {
    const start = startOf({ architecture })
    assert.deepEqual(start.wEnc, start.wDec, architecture)
    assert.deepEqual(start.bEnc, new Float32Array(features), architecture)
  }
})

test('relu-norm starts with rows of norm 0.1, the same in encoder and decoder, and no biases', () => {
  const { wEnc, bEnc, wDec, bDec } = startOf({ architecture: 'relu-norm' })
  assert.ok(norms(wDec, d).every((norm) => close(norm, 0.1)))
  assert.deepEqual(wEnc, wDec)
  assert.deepEqual([bEnc, bDec], [new Float32Array(features), new Float32Array(d)])
})

test('jumprelu starts with D/4 features above the threshold, however many there are and wherever the mean is', async () => {
  const kernels = createReferenceKernels()
  const [width, n] = [32, 200]
  const about = {
    ...statistics,
    d: width,
    dOut: width,
    mean: normals(width).map((value) => 3 * value),
    median: normals(width),
  }
  for (const count of [256, 1024]) {
    const asked = saeConfigSchema.parse({ architecture: 'jumprelu', features: count })
    const config = resolveSaeConfig(asked, width)
    const arrays = architectures.jumprelu.initialise(config, about, new Random(2))
    arrays.threshold = new Float32Array(count).fill(config.initialThreshold)
    const parts = createSaeParts(kernels, arrays, architectures.jumprelu.form(config))
    const x = normals(n * width).map((value, i) => value + about.mean[i % width])
    const l0 = (await encode(parts, kernels.tensor(x, [n, width]))).values.length / n
    assert.ok(Math.abs(l0 / (width / 4) - 1) < 0.2, `${l0} of ${count}`)
  }
})

test('a feature of jumprelu-tanh fires on the share of tokens that it starts for', async () => {
  const kernels = createReferenceKernels()
  const config = resolve({ architecture: 'jumprelu-tanh' })
  const { defaults: _, ...tanh } = architectures['jumprelu-tanh']
  const arrays = tanh.initialise(config, statistics, new Random(2))
  const { threshold } = tanh.featureStart(config)
  const parts = createSaeParts(
    kernels,
    { ...arrays, threshold: new Float32Array(features).fill(threshold as number) },
    tanh.form(config),
  )
  const n = 4000
  const x = normals(n * d).map((value, i) => value + statistics.mean[i % d])
  const { values } = await encode(parts, kernels.tensor(x, [n, d]))
  const share = values.length / n / features
  assert.ok(Math.abs(share - 1 / 16) < 0.01, `${share}`)
  assert.ok(values.every((value) => value > 0.1))
})

test('a transcoder starts with directions of its own in each space, and subtracts nothing', () => {
  const about = { ...statistics, dOut: 3, median: normals(3) }
  for (const architecture of architectureNames) {
    const config = { architecture, targetHookName: 'blocks.0.hook_mlp_out' }
    const { wEnc, wDec, bDec } = startOf(config, about)
    assert.deepEqual([wEnc.length, wDec.length, bDec.length], [features * d, features * 3, 3], architecture)
    assert.equal(stepOf(config, 0).form.subtractDecoderBias, false, architecture)
  }
})

test('penalties rise over their warm-up and the learning rate falls at the end', () => {
  const options = { l1Coefficient: 2, l0Coefficient: 2, sparsityWarmupFraction: 0.1, warmupFraction: 0 }
  for (const architecture of ['relu', 'relu-norm', 'gated', 'jumprelu', 'jumprelu-tanh']) {
    const at = (step: number) => stepOf({ architecture, decayFraction: 0.2, ...options }, step)
    const coefficient = (step: number) => {
      const { sparsity } = at(step)
      return sparsity.kind === 'none' ? 0 : sparsity.coefficient
    }
    assert.deepEqual([coefficient(4), coefficient(50)], [1, 2], architecture)
    assert.equal(at(50).adam.learningRate, 1e-3)
    assert.equal(at(90).adam.learningRate, 1e-3 / 2)
    assert.equal(at(90).adam.step, 91)
  }
  assert.equal(stepOf({ architecture: 'topk' }, 5).sparsity.kind, 'none')
})

test('AuxK is there where dead features are left to it, and its coefficient is not 0', () => {
  const { auxK } = stepOf({ architecture: 'topk', auxK: 9, deadAfterTokens: 7 }, 0)
  assert.deepEqual(auxK, { k: 9, coefficient: 1 / 32, deadAfterTokens: 7 })
  assert.equal(
    stepOf({ architecture: 'topk', auxK: 100 }, 0).auxK?.k,
    features,
    'no more than there are features',
  )
  assert.equal(stepOf({ architecture: 'topk', auxKCoefficient: 0 }, 0).auxK, undefined)
  assert.equal(stepOf({ architecture: 'batchtopk', deadFeatures: 'none' }, 0).auxK, undefined)
  assert.equal(stepOf({}, 0).auxK, undefined)
})

test('only matryoshka has prefixes; clipping and bad rows are passed on', () => {
  assert.deepEqual(stepOf({ architecture: 'matryoshka', prefixes: [4] }, 0).prefixes, [4, features])
  assert.equal(stepOf({ architecture: 'batchtopk', prefixes: [4] }, 0).prefixes, undefined)
  assert.equal(stepOf({ gradientClip: 0.5 }, 0).gradientClip, 0.5)
  assert.equal(stepOf({}, 0).gradientClip, undefined)
  assert.equal(stepOf({ badActivations: 'skip' }, 0).badRows, 'skip')
})

test('for inference batchtopk becomes jumprelu with the running threshold, and thresholds leave their logarithm', () => {
  const inference = (architecture: 'batchtopk' | 'jumprelu-tanh') => {
    const config = resolve({ architecture })
    const arrays = startOf({ architecture })
    const { threshold } = architectures[architecture].featureStart(config)
    if (threshold !== undefined) arrays.threshold = new Float32Array(features).fill(threshold)
    return architectures[architecture].toInference(config, arrays, 0.75)
  }
  const batch = inference('batchtopk')
  assert.deepEqual(batch.form, { activation: { kind: 'jumprelu' }, subtractDecoderBias: true })
  assert.deepEqual(batch.arrays.threshold, new Float32Array(features).fill(0.75))
  const tanh = inference('jumprelu-tanh')
  assert.deepEqual(tanh.form, { activation: { kind: 'jumprelu' }, subtractDecoderBias: false })
  assert.ok(norms(tanh.arrays.wDec, d).every((norm) => close(norm, 1)))
  assert.ok(tanh.arrays.threshold?.every((theta) => theta > 0 && theta < 0.1))
})

test('the start values of a few features are those that they have among all', () => {
  const transcoder = { targetHookName: 'blocks.0.hook_mlp_out' }
  const wider = { ...statistics, dOut: 7, median: normals(7) }
  for (const architecture of architectureNames)
    for (const [values, about] of [
      [{ architecture }, statistics],
      [{ architecture, ...transcoder }, wider],
    ] as const) {
      const config = resolve(values)
      const start = (slice?: Slice) =>
        architectures[architecture].initialise(config, about, new Random(2), slice)
      const whole = start()
      const parts = [0, 1, 2].map((rank) => start(sliceOf(features, { rank, size: 3 })))
      for (const name of ['wEnc', 'bEnc', 'wDec'] as const)
        assert.deepEqual(
          parts.flatMap((part) => [...part[name]]),
          [...whole[name]],
        )
      for (const part of parts) assert.deepEqual(part.bDec, whole.bDec)
    }
})
