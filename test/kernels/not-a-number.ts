import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kernels, SaeStepStats, Tensor } from '../../src/kernels/kernels.js'
import { RandomTensors } from './random-tensors.js'
import { RELU_FORM, TOPK, TRAIN, trainingOf } from './sae-setup.js'

const [N, D, V] = [3, 37, 21]

/** A diverging run must be noticed, so no operation may turn a NaN in its input into an ordinary number. */
export function notANumberTests(name: string, k: Kernels): void {
  test(`${name}: a NaN in the input is a NaN in the output of every layer and loss`, async () => {
    for (const [operation, out] of Object.entries(outputsOf(k))) {
      const values = await k.readF32(out)
      assert.ok(values.some(Number.isNaN), `${operation} swallowed a NaN: ${values.slice(0, 8)}`)
    }
  })
  test(`${name}: saeStep names the row of a NaN in the activations, and one in the parameters shows in the error`, async () => {
    const good = new RandomTensors(k, 1).signed([N, D])
    const inX = await saeStepOn(k, poisoned(k, [N, D]), good, k.zeros([D]))
    const inY = await saeStepOn(k, good, poisoned(k, [N, D]), k.zeros([D]))
    assert.deepEqual([inX.badRow, inY.badRow], [N - 1, N - 1])
    const inBias = await saeStepOn(k, good, good, poisoned(k, [D]))
    assert.equal(inBias.badRow, -1)
    assert.ok(Number.isNaN(inBias.squaredError), String(inBias.squaredError))
  })
}

function saeStepOn(k: Kernels, x: Tensor, y: Tensor, bDec: Tensor): Promise<SaeStepStats> {
  const training = trainingOf(k, { ...new RandomTensors(k, 1).sae({ features: 9, d: D }), bDec })
  return k.saeStep(training, x, y, { ...TOPK, adam: TRAIN, unitNormDecoder: true })
}

/** Zeros and one NaN, at a place that vector code treats in the tail of the last row. */
function poisoned(k: Kernels, shape: number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const data = new Float32Array(count)
  data[count - 2] = NaN
  return k.tensor(data, shape)
}

function outputsOf(k: Kernels): Record<string, Tensor> {
  const random = new RandomTensors(k, 2)
  const [bad, good] = [poisoned(k, [N, D]), random.signed([N, D])]
  const logits = poisoned(k, [N, V])
  const targets = random.ints([N], 0, V)
  const outs: Record<string, Tensor> = {}
  const out = (name: string, shape: number[]): Tensor => {
    outs[name] = k.zeros(shape)
    return outs[name]
  }
  k.linearForward(out('linearForward', [N, V]), bad, random.signed([D, V]), null)
  k.linearBackward(out('dx', [N, D]), null, null, logits, good, random.signed([D, V]))
  k.layerNormForward(
    out('layerNorm', [N, D]),
    k.zeros([N]),
    k.zeros([N]),
    bad,
    k.zeros([D]),
    k.zeros([D]),
    1e-5,
  )
  for (const kind of ['gelu', 'gelu_tanh', 'silu', 'relu'] as const) {
    k.activationForward(out(kind, [N, D]), bad, kind)
    k.activationBackward(out(`${kind} backward`, [N, D]), good, bad, kind)
    k.gatedForward(out(`gated ${kind}`, [N, D]), bad, good, kind)
  }
  k.softCapForward(out('softCap', [N, D]), bad, 30)
  k.rmsNormForward(out('rmsNorm', [N, D]), k.zeros([N]), bad, k.zeros([D]), 1e-5)
  const heads = { heads: 1, keyValueHeads: 1, scale: 1, softCap: null, window: null }
  k.attentionForward(out('attention', [N, D]), k.zeros([1, 1, N, N]), bad, bad, good, null, N, heads)
  k.attentionForward(out('attention without pattern', [N, D]), null, bad, bad, good, null, N, heads)
  k.attentionForward(out('attention of a bad value', [N, D]), null, good, good, bad, null, N, heads)
  k.attentionCachedForward(
    out('cached attention', [N, D]),
    k.zeros([N, 1, N]),
    bad,
    k.reshape(bad, [1, N, D]),
    k.reshape(good, [1, N, D]),
    k.zeros([N], 'i32'),
    k.tensor(new Int32Array(N).fill(N), [N]),
    heads,
  )
  k.crossEntropyForward(out('crossEntropy', [N]), logits, targets)
  k.crossEntropyBackward(out('dlogits', [N, V]), logits, targets, 1)
  k.klDivergence(out('klDivergence', [N]), logits, random.signed([N, V]))
  k.clipNorm(out('clipNorm', [2]), [good, bad], 1)
  k.columnSums(out('columnSums', [D]), bad)
  const params = random.sae({ features: 9, d: D })
  k.saeReconstruct(k.zeros([N, D]), out('saeReconstruct', [N]), params, bad, bad, RELU_FORM, null)
  for (const norm of ['layer_norm', 'constant_norm_rescale'] as const)
    k.saeNormalize(out(norm, [N, D]), k.zeros([N]), k.zeros([N]), bad, norm)
  k.mixInPlace(out('mixInPlace', [N, D]), bad, 0.5)
  return outs
}
