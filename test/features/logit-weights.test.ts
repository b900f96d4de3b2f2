import assert from 'node:assert/strict'
import { test } from 'node:test'
import { largest, logitEnds, outputProjection } from '../../src/features/logit-weights.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { FAMILIES, TINY, tinyModel } from '../model/tiny-model.js'

const kernels = createReferenceKernels()
const { dModel, dMlp, vocabularySize: V } = TINY

test('logit weights of an MLP feature are its decoder row through W_out, LayerNorm gain and W_U, centred', async () => {
  const model = await tinyModel(kernels)
  const arrays = randomArrays(3, dMlp)
  const ends = await logitEnds(model, saeOf(kernels, arrays, dMlp, 'blocks.1.mlp.hook_post'), 4)
  assert.ok(ends)
  const read = (name: string) => kernels.readF32(model.params[name])
  const [wOut, gain, wU] = await Promise.all([
    read('blocks.1.mlp.W_out'),
    read('ln_final.w'),
    read('unembed.W_U'),
  ])
  for (let feature = 0; feature < 3; feature++) {
    const residual = Array.from({ length: dModel }, (_, i) =>
      Array.from({ length: dMlp }, (_, m) => arrays.wDec[feature * dMlp + m] * wOut[m * dModel + i]).reduce(
        (a, b) => a + b,
      ),
    )
    const mean = residual.reduce((a, b) => a + b) / dModel
    const raw = Array.from({ length: V }, (_, v) =>
      residual.reduce((sum, r, i) => sum + (r - mean) * gain[i] * wU[i * V + v], 0),
    )
    const centre = raw.reduce((a, b) => a + b) / V
    const weights = raw.map((weight) => weight - centre)
    const order = weights.map((_, v) => v).sort((a, b) => weights[b] - weights[a])
    const k: number = 4
    assert.deepEqual(Array.from(ends.topTokens.subarray(feature * k, feature * k + k)), order.slice(0, 4))
    assert.deepEqual(
      Array.from(ends.bottomTokens.subarray(feature * k, feature * k + k)),
      order.reverse().slice(0, 4),
    )
    const bottom = ends.bottomWeights[feature * k]
    assert.ok(Math.abs(bottom - weights[order[0]]) < 1e-4, `${bottom} against ${weights[order[0]]}`)
  }
})

test('logit weights know post norms, a final RMSNorm and embeddings used once more', async () => {
  const config = FAMILIES.gemma2
  const model = await tinyModel(kernels, config)
  const arrays = randomArrays(3, dMlp)
  const ends = await logitEnds(model, saeOf(kernels, arrays, dMlp, 'blocks.1.mlp.hook_post'), V)
  assert.ok(ends)
  const names = ['blocks.1.mlp.W_out', 'blocks.1.ln2_post.w', 'ln_final.w', 'embed.W_E']
  const [wOut, postGain, gain, wE] = await Promise.all(
    names.map((name) => kernels.readF32(model.params[name])),
  )
  for (let feature = 0; feature < 3; feature++) {
    const raw = new Float64Array(V)
    for (let i = 0; i < dModel; i++) {
      let residual = 0
      for (let m = 0; m < dMlp; m++) residual += arrays.wDec[feature * dMlp + m] * wOut[m * dModel + i]
      for (let v = 0; v < V; v++) raw[v] += residual * postGain[i] * gain[i] * wE[v * dModel + i]
    }
    const centre = raw.reduce((a, b) => a + b) / V
    for (let place = 0; place < V; place++) {
      const expected = raw[ends.topTokens[feature * V + place]] - centre
      const got = ends.topWeights[feature * V + place]
      assert.ok(Math.abs(got - expected) < 1e-4, `feature ${feature}: ${got}, expected ${expected}`)
    }
  }
})

test('hook points map to what carries them to the residual stream, and others have no logit weights', async () => {
  const ours = { postNorms: false }
  const through = (matrix: string | null, postNorm: string | null = null) => ({ matrix, postNorm })
  assert.deepEqual(outputProjection(ours, 'blocks.3.mlp.hook_post'), through('blocks.3.mlp.W_out'))
  assert.deepEqual(outputProjection(ours, 'blocks.0.attn.hook_z'), through('blocks.0.attn.W_O'))
  const gemma = { postNorms: true }
  assert.deepEqual(
    outputProjection(gemma, 'blocks.3.mlp.hook_post'),
    through('blocks.3.mlp.W_out', 'blocks.3.ln2_post'),
  )
  assert.deepEqual(outputProjection(gemma, 'blocks.3.attn.hook_out'), through(null, 'blocks.3.ln1_post'))
  for (const name of ['hook_embed', 'blocks.0.hook_resid_mid', 'blocks.1.hook_mlp_out'])
    for (const config of [ours, gemma]) assert.deepEqual(outputProjection(config, name), through(null))
  for (const name of ['blocks.0.attn.hook_q', 'blocks.0.mlp.hook_pre', 'blocks.0.ln1.hook_normalized'])
    assert.equal(outputProjection(ours, name), null)
  const model = await tinyModel(kernels)
  const sae = saeOf(kernels, randomArrays(3, dMlp), dMlp, 'blocks.0.mlp.hook_pre')
  assert.equal(await logitEnds(model, sae, 4), null)
})

test('no more output tokens are kept than the vocabulary has', async () => {
  const model = await tinyModel(kernels)
  const ends = await logitEnds(
    model,
    saeOf(kernels, randomArrays(2, dModel), dModel, 'blocks.0.hook_resid_post'),
    99,
  )
  assert.equal(ends?.k, V)
})

test('largest keeps the k largest in order, and the smallest with sign -1', () => {
  const values = Float32Array.of(3, 9, -1, 9, 4)
  assert.deepEqual(largest(values, 3, 1), [1, 3, 4])
  assert.deepEqual(largest(values, 2, -1), [2, 0])
  assert.deepEqual(largest(values, 0, 1), [])
})
