import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenSplit } from '../../src/corpus/corpus.js'
import { fillWindows } from '../../src/corpus/windows.js'
import { evalConfigSchema } from '../../src/eval/eval-config.js'
import { evaluate } from '../../src/eval/evaluate.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createWorkspace, forward, type Transformer } from '../../src/model/transformer.js'
import { reconstruct } from '../../src/sae/sae.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'
import { cyclicModel, tinySplit } from '../model/tiny-corpus.js'
import { TINY, tinyModel } from '../model/tiny-model.js'
import { identityArrays, randomArrays, saeOf, silentArrays } from './tiny-sae.js'

const kernels = createReferenceKernels()
const hook = 'blocks.1.mlp.hook_post'
const split = tinySplit('validation', 200, TINY.vocabularySize)
const config = evalConfigSchema.parse({ batchWindows: 5 })

const near = (found: number | null, expected: number, tolerance = 1e-5) =>
  assert.ok(
    found !== null && Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `expected ${expected}, got ${found}`,
  )

/** The slow, obvious version: all windows in one batch, activations edited in JavaScript. */
async function slowly(model: Transformer, split: TokenSplit) {
  const t = model.config.context
  const windows = Math.floor((split.tokens.length - 1) / t)
  const batch = fillWindows(
    split,
    t,
    Array.from({ length: windows }, (_, i) => i),
  )
  const workspace = createWorkspace(model, windows, t)
  forward(model, workspace, batch)
  const clean = await kernels.readF32(workspace.activations[hook])
  const d = clean.length / batch.tokens.length
  const text = Array.from(batch.tokens, (token) => token !== 0)
  return {
    clean,
    d,
    text,
    /** mean loss with the activation of text positions replaced */
    loss: async (replace: (value: number, index: number) => number) => {
      const edited = clean.map((value, i) => (text[Math.floor(i / d)] ? replace(value, i) : value))
      const tensor = kernels.tensor(edited, [batch.tokens.length, d])
      forward(model, workspace, batch, { hooks: { [hook]: () => tensor } })
      const logits = await kernels.readF32(workspace.logits)
      return meanLoss(
        logits,
        batch.targets.map((target, i) => (text[i] ? target : -1)),
        model.config.vocabularySize,
      )
    },
  }
}

function meanLoss(logits: Float32Array, targets: Int32Array, v: number): number {
  let sum = 0
  let count = 0
  targets.forEach((target, n) => {
    if (target < 0) return
    const row = Array.from(logits.subarray(n * v, (n + 1) * v))
    sum += Math.log(row.reduce((total, logit) => total + Math.exp(logit), 0)) - row[target]
    count++
  })
  return sum / count
}

test('an autoencoder that reconstructs exactly changes nothing', async () => {
  const model = await tinyModel(kernels)
  const sae = saeOf(kernels, identityArrays(TINY.dMlp), TINY.dMlp, hook)
  const report = await evaluate(config, { model, sae, split, startOfText: 0 })
  near(report.explainedVariance, 1)
  near(report.cosine, 1)
  near(report.losses.spliced, report.losses.clean)
  near(report.kl, 0)
  near(report.mse, 0)
  assert.ok(report.l0 > 1 && report.l0 <= TINY.dMlp)
})

/** A model that predicts the tiny text well (without being too sure), and whose embedding it therefore hurts to ablate. */
function counting(): Transformer {
  const model = cyclicModel(
    kernels,
    Array.from({ length: 11 }, (_, i) => 1 + (i % 10)),
  )
  kernels.scaleInPlace(model.params['unembed.W_U'], 0.05)
  return model
}

test('loss recovered is 1 for an exact reconstruction, and 0 for the ablation itself', async () => {
  const model = counting()
  const run = (arrays: SaeArrays) =>
    evaluate(config, { model, sae: saeOf(kernels, arrays, 11, 'hook_embed'), split, startOfText: 0 })
  const exact = await run(identityArrays(11))
  near(exact.lossRecovered, 1)
  near(exact.lossRecoveredMean, 1)
  assert.ok(exact.losses.zeroAblated > exact.losses.clean + 0.1)
  const zero = await run(silentArrays(3, new Float32Array(11)))
  assert.equal(zero.lossRecovered, 0)
  assert.equal(zero.l0, 0)
  assert.equal(zero.deadFraction, 1)
  const text = split.tokens.subarray(0, 196).filter((token) => token !== 0)
  const mean = Float32Array.from(
    { length: 11 },
    (_, j) => text.filter((token) => token === j).length / text.length,
  )
  const average = await run(silentArrays(3, mean))
  near(average.lossRecoveredMean, 0)
  near(average.explainedVariance, 0)
})

test('losses, explained variance and counts agree with a slow version that edits activations by hand', async () => {
  const model = await tinyModel(kernels)
  const sae = saeOf(kernels, randomArrays(20, TINY.dMlp), TINY.dMlp, hook)
  const long = tinySplit('validation', 800, TINY.vocabularySize)
  const report = await evaluate(config, { model, sae, split: long, startOfText: 0 })
  const slow = await slowly(model, long)
  const xHatTensor = kernels.zeros([slow.text.length, slow.d])
  const x = kernels.tensor(slow.clean, [slow.text.length, slow.d])
  reconstruct(sae, xHatTensor, null, x)
  const xHat = await kernels.readF32(xHatTensor)
  near(report.losses.clean, await slow.loss((value) => value))
  near(report.losses.zeroAblated, await slow.loss(() => 0))
  near(report.losses.spliced, await slow.loss((_, i) => xHat[i]))
  const tokens = slow.text.filter(Boolean).length
  assert.equal(report.tokens, tokens)
  const squaredError = slow.clean.reduce(
    (sum, value, i) => (slow.text[Math.floor(i / slow.d)] ? sum + (value - xHat[i]) ** 2 : sum),
    0,
  )
  near(report.squaredError, squaredError / tokens)
  near(report.mse, squaredError / tokens / slow.d)
  assert.ok(report.density.neverFired < 20 && report.l0 > 0)
  for (const [name, interval] of Object.entries(report.intervals)) {
    const value = report[name as keyof typeof report.intervals]
    if (value === null) assert.match(String(report.underpowered.map(({ claim }) => claim)), new RegExp(name))
    else
      assert.ok(
        interval !== null && interval[0] <= value && value <= interval[1],
        `${name}: ${value} in ${interval}`,
      )
  }
  for (const [name, interval] of Object.entries(report.lossIntervals)) {
    assert.ok(interval, name)
    const value = report.losses[name as keyof typeof report.losses]
    assert.ok(interval[0] < value && value < interval[1], `${name}: ${value} in ${interval}`)
  }
  const { min, median, max } = report.l0Distribution
  assert.ok(min <= report.l0 && report.l0 <= max && min <= median && median <= max && max <= 20)
})

test('a transcoder that computes the MLP exactly is spliced in without a change, at the hook point that it reconstructs', async () => {
  const model = await tinyModel(kernels)
  const { dModel, dMlp } = TINY
  // at mlp.hook_post the output of the MLP is linear: each neuron is the only input of one feature with each sign
  const wOut = await kernels.readF32(model.params['blocks.1.mlp.W_out'])
  const identity = identityArrays(dMlp)
  const arrays = {
    wEnc: identity.wEnc,
    bEnc: identity.bEnc,
    wDec: Float32Array.from({ length: 2 * dMlp * dModel }, (_, i) =>
      i < wOut.length ? wOut[i] : -wOut[i - wOut.length],
    ),
    bDec: await kernels.readF32(model.params['blocks.1.mlp.b_out']),
  }
  const form = { activation: { kind: 'relu' }, subtractDecoderBias: false } as const
  const sae = saeOf(kernels, arrays, dMlp, hook, form, 'blocks.1.hook_mlp_out')
  const report = await evaluate(config, { model, sae, split, startOfText: 0 })
  near(report.explainedVariance, 1)
  near(report.losses.spliced, report.losses.clean)
  near(report.mse, 0)
  assert.ok(report.losses.zeroAblated !== report.losses.clean)
})

test('the report does not depend on how windows are batched', async () => {
  const model = await tinyModel(kernels)
  const form = { activation: { kind: 'topk', k: 4 }, subtractDecoderBias: true } as const
  const sae = saeOf(kernels, randomArrays(20, TINY.dMlp), TINY.dMlp, hook, form)
  const inputs = { model, sae, split, startOfText: 0 }
  const one = await evaluate({ ...config, batchWindows: 1 }, inputs)
  const many = await evaluate({ ...config, batchWindows: 7 }, inputs)
  assert.ok(one.l0 > 1 && one.l0 <= 4)
  assert.deepEqual(one.density, many.density)
  for (const name of ['explainedVariance', 'kl', 'cosine', 'l1'] as const)
    near(one[name], many[name] as number)
  for (const name of ['clean', 'spliced', 'zeroAblated', 'meanAblated'] as const)
    near(one.losses[name], many.losses[name])
})

test('fewer tokens are evaluated when fewer are asked for', async () => {
  const model = await tinyModel(kernels)
  const sae = saeOf(kernels, randomArrays(20, TINY.dMlp), TINY.dMlp, hook)
  const report = await evaluate({ ...config, tokens: 60 }, { model, sae, split, startOfText: 0 })
  assert.equal(report.windows, 10)
})

test('an autoencoder of another width, of an unknown hook point, and a split without a window are refused', async () => {
  const model = await tinyModel(kernels)
  const run = (d: number, hookName: string, text = split) =>
    evaluate(config, {
      model,
      sae: saeOf(kernels, randomArrays(4, d), d, hookName),
      split: text,
      startOfText: 0,
    })
  await assert.rejects(run(5, hook), { code: 'shape', message: /width 12, got width 5/ })
  await assert.rejects(run(12, 'blocks.7.mlp.hook_post'), { code: 'missing', message: /blocks\.7/ })
  await assert.rejects(run(12, hook, tinySplit('validation', 5, 11)), {
    code: 'missing',
    message: /5 tokens/,
  })
})

test('text that is nothing but starts of documents is refused', async () => {
  const model = await tinyModel(kernels)
  const documentStarts = Int32Array.from({ length: 40 }, (_, i) => i)
  const empty = { ...split, tokens: new Uint16Array(40), documentStarts, documentIds: documentStarts }
  const sae = saeOf(kernels, randomArrays(4, 12), 12, hook)
  await assert.rejects(evaluate(config, { model, sae, split: empty, startOfText: 0 }), {
    code: 'missing',
    message: /validation split holds no text/,
  })
})

test('activations and reconstructions that are not finite are refused, saying which', async () => {
  const sae = saeOf(kernels, randomArrays(4, 12), 12, hook)
  const broken = await tinyModel(kernels)
  kernels.fill(broken.params['blocks.1.mlp.b_in'], Number.NaN)
  await assert.rejects(evaluate(config, { model: broken, sae, split, startOfText: 0 }), {
    code: 'diverged',
    message: /finite activations at blocks\.1\.mlp\.hook_post, got NaN or infinity in document 0$/,
    hint: /model info/,
  })
  const arrays = randomArrays(4, 12)
  arrays.bDec.fill(Number.POSITIVE_INFINITY)
  const form = { activation: { kind: 'relu' }, subtractDecoderBias: false } as const
  const model = await tinyModel(kernels)
  await assert.rejects(
    evaluate(config, { model, sae: saeOf(kernels, arrays, 12, hook, form), split, startOfText: 0 }),
    { code: 'diverged', message: /finite reconstructions/, hint: /sae info/ },
  )
})

test('positions of the start of text are in no loss: what happens there changes nothing', async () => {
  const model = counting()
  const run = async (scale: number) => {
    // the embedding of the start of text, which predicts the first token of a document
    const embed = await kernels.readF32(model.params['embed.W_E'])
    for (let i = 0; i < 11; i++) embed[i] = scale * (i === 3 ? 1 : 0)
    kernels.write(model.params['embed.W_E'], embed)
    const sae = saeOf(kernels, identityArrays(11), 11, 'hook_embed')
    return evaluate(config, { model, sae, split, startOfText: 0 })
  }
  const [one, other] = [await run(1), await run(-50)]
  assert.deepEqual(one.losses, other.losses)
  assert.equal(one.kl, other.kl)
  const starts = split.tokens.subarray(0, 196).filter((token) => token === 0).length
  assert.equal(one.tokens, 196 - starts)
  assert.ok(one.targets < one.tokens)
})
