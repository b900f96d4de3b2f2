import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AttributeOptions, attribute } from '../../src/attribution/attribute.js'
import { renderAttribution } from '../../src/attribution/render-attribution.js'
import { spearman } from '../../src/interp/correlation.js'
import type { SaeForm } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { type Metric, metricGradient, metricValue, singleToken } from '../../src/model/logit-metric.js'
import { createWorkspace, forward, freeWorkspace, type Hook } from '../../src/model/transformer.js'
import { decode, encode, reconstruct, type Sae } from '../../src/sae/sae.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'
import { FAMILIES, TINY, tinyModel } from '../model/tiny-model.js'

const kernels = await loadKernels()
const model = await tinyModel(kernels)
const [D, V] = [TINY.dModel, TINY.vocabularySize]
const tokens = Int32Array.of(0, 4, 9, 2, 7)
const T = tokens.length
const logit: Metric = { kind: 'logit', target: 3, against: null }

/** Logits [V] after the prompt. */
async function logitsOf(hooks: Record<string, Hook> = {}): Promise<Float32Array> {
  const workspace = createWorkspace(model, 1, T)
  forward(
    model,
    workspace,
    { tokens, targets: new Int32Array(T).fill(-1), starts: new Int32Array(T) },
    { hooks },
  )
  const logits = await kernels.readF32(kernels.rows(workspace.logits, T - 1, 1))
  freeWorkspace(model, workspace)
  return logits
}

/**
 * The metric with feature activations times `factor` at one position, by splicing the autoencoder into the model: decoded codes plus the error.
 */
async function splicedMetric(
  sae: Sae,
  metric: Metric,
  feature: number,
  position: number,
  factor: number,
): Promise<number> {
  const workspace = createWorkspace(model, 1, T)
  forward(model, workspace, { tokens, targets: new Int32Array(T).fill(-1), starts: new Int32Array(T) })
  const x = workspace.activations[sae.hookName]
  const y = workspace.activations[sae.targetHookName]
  const codes = await encode(sae, x)
  const [xHat, edited] = [kernels.zeros(y.shape), kernels.zeros(y.shape)]
  reconstruct(sae, xHat, null, x, y)
  const values = codes.values.slice()
  for (let e = codes.rowOffsets[position]; e < codes.rowOffsets[position + 1]; e++)
    if (codes.featureIds[e] === feature) values[e] *= factor
  decode(sae, edited, { ...codes, values }, x)
  const [target, plain, changed] = await Promise.all([y, xHat, edited].map((t) => kernels.readF32(t)))
  const spliced = kernels.tensor(
    target.map((value, i) => changed[i] + (value - plain[i])),
    y.shape,
  )
  freeWorkspace(model, workspace)
  return metricValue(metric, await logitsOf({ [sae.targetHookName]: () => spliced }))
}

const relu: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: true }
const autoencoders: Record<string, Sae> = {
  relu: saeOf(kernels, randomArrays(24, D), D, 'blocks.0.hook_resid_mid', relu),
  topk: saeOf(kernels, randomArrays(24, D), D, 'blocks.1.hook_resid_pre', {
    activation: { kind: 'topk', k: 4 },
    subtractDecoderBias: true,
  }),
  'layer norm': {
    ...saeOf(kernels, randomArrays(24, D), D, 'blocks.0.hook_resid_mid', relu),
    inputNormalization: 'layer_norm',
  },
  'constant norm': {
    ...saeOf(kernels, randomArrays(24, D), D, 'blocks.1.hook_resid_pre', relu),
    inputNormalization: 'constant_norm_rescale',
  },
  transcoder: saeOf(
    kernels,
    { ...randomArrays(24, D), wSkip: new Float32Array(D * D).fill(0.1) },
    D,
    'blocks.0.ln2.hook_normalized',
    { activation: { kind: 'relu' }, subtractDecoderBias: false },
    'blocks.0.hook_mlp_out',
  ),
}

const metrics: Metric[] = [
  logit,
  { kind: 'log-probability', target: 3, against: null },
  { kind: 'logit-difference', target: 3, against: 8 },
]

test('gradient x activation is the slope of the metric through the spliced autoencoder, ablation its true loss', async () => {
  for (const [name, sae] of Object.entries(autoencoders))
    for (const metric of metrics) {
      const found = await attribute(model, sae, tokens, { metric, verify: 6 })
      assert.ok(Math.abs(found.value - metricValue(metric, await logitsOf())) < 1e-5)
      for (const one of found.features.slice(0, 4)) {
        const about = `${name}, ${metric.kind}, feature ${one.feature} at ${one.positions}`
        const at = (factor: number) => splicedMetric(sae, metric, one.feature, one.positions[0], factor)
        const step = 1 / 512
        const slope = ((await at(1 + step)) - (await at(1 - step))) / (2 * step)
        const scale = Math.max(0.05, Math.abs(slope))
        assert.ok(
          Math.abs(one.gradientTimesActivation - slope) < 0.03 * scale,
          `${about}: ${one.gradientTimesActivation}, finite differences give ${slope}`,
        )
        const loss = found.value - (await at(0))
        assert.ok(Math.abs(one.ablation! - loss) < 1e-4, `${about}: ${one.ablation}, expected ${loss}`)
      }
      assert.equal(found.features[6].ablation, null, 'only what was asked for is ablated')
      assert.ok(found.features.every(({ positions }) => positions.every((p) => p > 0 && p < T)))
      assert.equal(found.agreement!.gradient.n, 6)
    }
})

test('features, the error and the decoder bias together are the gradient times the activation', async () => {
  const sae = autoencoders.relu
  const { total, error } = await attribute(model, sae, tokens, { metric: logit })
  const workspace = createWorkspace(model, 1, T)
  forward(model, workspace, { tokens, targets: new Int32Array(T).fill(-1), starts: new Int32Array(T) })
  const x = await kernels.readF32(workspace.activations[sae.hookName])
  freeWorkspace(model, workspace)
  const bias = await kernels.readF32(sae.params.bDec)
  // The slope of the metric when x - b_dec is scaled at every position but the first.
  const at = async (factor: number) => {
    const scaled = x.map((value, i) => (i < D ? value : bias[i % D] + factor * (value - bias[i % D])))
    const tensor = kernels.tensor(scaled, [T, D])
    return metricValue(logit, await logitsOf({ [sae.hookName]: () => tensor }))
  }
  const slope = ((await at(1 + 1 / 64)) - (await at(1 - 1 / 64))) * 32
  assert.ok(Math.abs(total + error - slope) < 0.02 * Math.abs(slope) + 0.02, `${total} + ${error}, ${slope}`)
})

/** Features +e_i and -e_i, which reconstruct everything. */
function signedUnits() {
  const wEnc = new Float32Array(2 * D * D)
  for (let i = 0; i < D; i++) {
    wEnc[i * D + i] = 1
    wEnc[(D + i) * D + i] = -1
  }
  return { wEnc, bEnc: new Float32Array(2 * D), wDec: wEnc.slice(), bDec: new Float32Array(D) }
}

test('with the last LayerNorm held fixed, direct effects add up to the logit', async () => {
  // They reconstruct the last residual exactly: what they do directly is all that is done.
  const arrays = signedUnits()
  const form: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: false }
  const sae = saeOf(kernels, arrays, D, 'blocks.1.hook_resid_post', form)
  const { features, value } = await attribute(model, sae, tokens, { metric: logit })
  const bias = await kernels.readF32(model.params['ln_final.b'])
  const unembedding = await kernels.readF32(model.params['unembed.W_U'])
  const constant = bias.reduce((sum, b, i) => {
    const row = unembedding.subarray(i * V, (i + 1) * V)
    return sum + b * (row[logit.target] - row.reduce((a, c) => a + c, 0) / V)
  }, 0)
  const total = features.reduce((sum, { direct }) => sum + direct!, 0)
  assert.ok(Math.abs(total + constant - value) < 1e-4, `${total} + ${constant}, expected ${value}`)
  assert.ok(
    features.length > 0 && features.every(({ positions }) => positions[0] === T - 1),
    'nothing looks at earlier positions any more',
  )
  const earlier = await attribute(model, autoencoders.relu, tokens, { metric: logit })
  const early = earlier.features.filter(({ positions }) => positions[0] < T - 1)
  assert.ok(early.length > 0 && early.every(({ direct }) => direct === 0))
})

test('direct effects go through post norms and an RMSNorm, and embeddings used once more', async () => {
  const config = { ...FAMILIES.gemma2, logitSoftCap: null }
  const gemma = await tinyModel(kernels, config)
  const sae = saeOf(kernels, signedUnits(), D, 'blocks.1.mlp.hook_out', {
    activation: { kind: 'relu' },
    subtractDecoderBias: false,
  })
  const { features } = await attribute(gemma, sae, tokens, { metric: logit })
  const workspace = createWorkspace(gemma, 1, T)
  forward(gemma, workspace, { tokens, targets: new Int32Array(T).fill(-1), starts: new Int32Array(T) })
  const names = ['blocks.1.hook_mlp_out', 'blocks.1.hook_resid_post']
  const [mlpOut, resid] = await Promise.all(
    names.map((name) => kernels.readF32(kernels.rows(workspace.activations[name], T - 1, 1))),
  )
  freeWorkspace(gemma, workspace)
  const [gain, embeddings] = await Promise.all([
    kernels.readF32(gemma.params['ln_final.w']),
    kernels.readF32(gemma.params['embed.W_E']),
  ])
  const rms = Math.sqrt(resid.reduce((sum, x) => sum + x * x, 0) / D + config.normEpsilon)
  const effectOn = (token: number) =>
    mlpOut.reduce((sum, x, i) => sum + (x * gain[i] * embeddings[token * D + i]) / rms, 0)
  const mean = Array.from({ length: V }, (_, token) => effectOn(token) / V).reduce((a, b) => a + b)
  const expected = effectOn(logit.target) - mean
  const total = features.reduce((sum, { direct }) => sum + direct!, 0)
  assert.ok(Math.abs(expected) > 0.01 && Math.abs(total - expected) < 1e-4, `${total}, expected ${expected}`)
})

test('there is no direct effect from hook points that do not write to the residual stream', async () => {
  const sae = saeOf(kernels, randomArrays(24, D), D, 'blocks.0.attn.hook_v', relu)
  const { features, agreement } = await attribute(model, sae, tokens, { metric: logit, verify: 3 })
  assert.ok(features.every(({ direct }) => direct === null))
  assert.deepEqual(agreement!.direct, { n: 0, pearson: null, spearman: null })
})

test('a feature at all its positions is the sum of its effects, ablated together', async () => {
  const sae = autoencoders.relu
  const options: AttributeOptions = { metric: logit, verify: 100 }
  const each = await attribute(model, sae, tokens, options)
  const { features } = await attribute(model, sae, tokens, { ...options, by: 'feature' })
  assert.equal(new Set(features.map(({ feature }) => feature)).size, features.length)
  const several = features.filter(({ positions }) => positions.length > 1)
  assert.ok(several.length > 0)
  for (const one of features) {
    const own = each.features.filter(({ feature }) => feature === one.feature)
    const sum = own.reduce((total, { gradientTimesActivation }) => total + gradientTimesActivation, 0)
    assert.ok(Math.abs(sum - one.gradientTimesActivation) < 1e-5)
    if (own.length === 1) assert.ok(Math.abs(own[0].ablation! - one.ablation!) < 1e-5)
  }
})

test('the gradient of a metric is its slope', () => {
  const logits = Float32Array.from({ length: 7 }, (_, i) => Math.sin(3 * i))
  for (const metric of metrics.map((one) => ({ ...one, against: one.against && 5 }))) {
    const gradient = metricGradient(metric, logits)
    for (let v = 0; v < 7; v++) {
      const moved = (by: number) =>
        metricValue(
          metric,
          Float32Array.from(logits, (x, i) => (i === v ? x + by : x)),
        )
      assert.ok(Math.abs((moved(0.01) - moved(-0.01)) / 0.02 - gradient[v]) < 1e-4, `${metric.kind} ${v}`)
    }
  }
})

test('rank correlation by hand, with ties', () => {
  assert.equal(spearman([1, 2, 3], [10, 20, 90]), 1)
  assert.equal(spearman([1, 2, 3], [5, 3, 1]), -1)
  // ranks 0, 1.5, 1.5, 3 and 0, 1, 2, 3: covariance 4.5, variances 4.5 and 5
  assert.ok(Math.abs(spearman([1, 2, 2, 3], [1, 2, 3, 4])! - 4.5 / Math.sqrt(4.5 * 5)) < 1e-12)
  assert.equal(spearman([1, 1], [1, 2]), null)
})

test('a target of several tokens is refused with its pieces', () => {
  const letters = pieceTokenizer([[97], [98]])
  assert.equal(singleToken(letters, 'b', '--target'), 2)
  assert.throws(() => singleToken(letters, 'ab', '--target'), {
    code: 'config',
    message: /--target: expected one token, got 2 from "ab": "a" "b"/,
  })
  assert.throws(() => singleToken(letters, '', '--target'), { code: 'config', message: /got 0/ })
})

test('the table shows estimates beside the truth, and explanations where there are any', async () => {
  const found = await attribute(model, autoencoders.relu, tokens, { metric: logit, verify: 2 })
  const tokenizer = { tokenText: (id: number) => ` ${'abcdefghijk'[id]}` }
  const plain = renderAttribution(found, { tokenizer, top: 3, width: 100 })
  assert.match(plain, /^logit of " d" above the mean of all: /)
  assert.equal(plain.split('\n').filter((line) => /^ +\d+ +\d ␣?/.test(line)).length >= 3, true)
  assert.match(plain, /–\n\nall \d+ that can act/, 'the third line was not ablated')
  assert.ok(!plain.includes('explanation'))
  const { feature } = found.features[0]
  const explained = renderAttribution(found, {
    ...{ tokenizer, top: 3, width: 120 },
    explanations: new Map([[feature, 'Arabic letters']]),
  })
  assert.match(explained, /explanation\n/)
  assert.ok(explained.includes('Arabic letters'))
})

test('a prompt of one token has nothing to attribute to, and says so in its figures', async () => {
  const found = await attribute(model, autoencoders.relu, Int32Array.of(0), { metric: logit, verify: 5 })
  assert.deepEqual(found.features, [])
  assert.deepEqual(found.agreement!.gradient, { n: 0, pearson: null, spearman: null })
})
