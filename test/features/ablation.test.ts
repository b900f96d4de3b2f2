import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillWindows, locate, windowCount } from '../../src/corpus/windows.js'
import { type AblationOptions, ablateExamples } from '../../src/features/ablation.js'
import type { PlacedExample } from '../../src/features/ablation-examples.js'
import { packPasses, type Removal } from '../../src/features/ablation-packing.js'
import type { SaeForm } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { createWorkspace, forward, hookWidth, loss, type Transformer } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import { type InputNormalization, readTokenScales } from '../../src/sae/input-normalization.js'
import { encode, type Sae } from '../../src/sae/sae.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { tinySplit } from '../model/tiny-corpus.js'
import { TINY, tinyModel } from '../model/tiny-model.js'

const kernels = createReferenceKernels()
const T = TINY.context
const split = tinySplit('train', 90, TINY.vocabularySize)
const features = 14
const options: AblationOptions = { where: 'context', batchWindows: 3, batchTokens: 24 }

/** Activations of all features on one window, times what their tokens were divided by, [T][F]; zeros on <|endoftext|>. */
async function codesOf(model: Transformer, sae: Sae, window: number): Promise<number[][]> {
  const workspace = createWorkspace(model, 1, T)
  const batch = fillWindows(split, T, [window])
  forward(model, workspace, batch)
  const x = workspace.activations[sae.hookName]
  const { rowOffsets, featureIds, values } = await encode(sae, x)
  const scales = await readTokenScales(sae, x)
  return Array.from({ length: T }, (_, row) => {
    const dense = new Array<number>(features).fill(0)
    if (batch.tokens[row] !== 0)
      for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++)
        dense[featureIds[e]] = values[e] * (scales?.[row] ?? 1)
    return dense
  })
}

/** One example for each feature on each text token of every window, two tokens shown to each side. */
function everyExample(): PlacedExample[] {
  const examples: PlacedExample[] = []
  for (let token = 0; token < windowCount(split, T) * T; token++) {
    if (split.tokens[token] === 0) continue
    const { document, offset } = locate(split, token)
    const windowStart = Math.floor(token / T) * T
    let first = token
    while (first > Math.max(windowStart, token - 2) && split.tokens[first - 1] !== 0) first--
    let end = token + 1
    while (end < Math.min(windowStart + T, token + 3) && split.tokens[end] !== 0) end++
    for (let feature = 0; feature < features; feature++)
      examples.push({ feature, interval: null, rank: 0, document, position: offset, token, first, end })
  }
  return examples
}

/** Losses of a window [T], with a change added to the activation at one hook point. */
async function windowLosses(
  model: Transformer,
  window: number,
  hookName: string,
  change: (row: number, d: number) => number,
): Promise<Float32Array> {
  const workspace = createWorkspace(model, 1, T)
  const width = hookWidth(model.config, hookName)
  const added = Float32Array.from({ length: T * width }, (_, i) => change(Math.floor(i / width), i % width))
  forward(model, workspace, fillWindows(split, T, [window]), {
    hooks: { [hookName]: (x) => kernels.addInPlace(x, kernels.tensor(added, [T, width])) },
  })
  return kernels.readF32(loss(model, workspace))
}

/** One example on its own, by a hook on a full pass. */
async function slowly(
  model: Transformer,
  sae: Sae,
  arrays: SaeArrays,
  example: PlacedExample,
  where: string,
) {
  const window = Math.floor(example.token / T)
  const from = window * T
  const codes = await codesOf(model, sae, window)
  const { targets } = fillWindows(split, T, [window])
  const documentOf = (row: number) => locate(split, from + row).document
  const isTaken = (row: number) =>
    documentOf(row) === example.document && (where === 'context' || from + row === example.token)
  const clean = await windowLosses(model, window, sae.targetHookName, () => 0)
  const ablated = await windowLosses(model, window, sae.targetHookName, (row, d) =>
    isTaken(row) ? -codes[row][example.feature] * arrays.wDec[example.feature * sae.dOut + d] : 0,
  )
  const effect = (row: number) => (targets[row] < 0 ? Number.NaN : clean[row] - ablated[row])
  const rows = Array.from({ length: T }, (_, row) => row)
  const own = rows.filter((row) => documentOf(row) === example.document)
  return {
    effects: rows.slice(example.first - from, example.end - from).map(effect),
    total: own.map(effect).reduce((sum, value) => sum + (value || 0), 0),
    tokens: rows.filter((row) => isTaken(row) && codes[row][example.feature] > 0).length,
  }
}

const relu: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: true }
const plain: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: false }
const cases: [
  name: string,
  hook: string,
  target: string,
  form: SaeForm,
  arrays: object,
  norm?: InputNormalization,
][] = [
  ['tokens that are normed', 'blocks.1.hook_resid_pre', 'blocks.1.hook_resid_pre', relu, {}, 'layer_norm'],
  ['the last neurons', 'blocks.1.mlp.hook_post', 'blocks.1.mlp.hook_post', relu, {}],
  ['neurons of the first layer', 'blocks.0.mlp.hook_post', 'blocks.0.mlp.hook_post', relu, {}],
  ['the residual stream', 'blocks.1.hook_resid_pre', 'blocks.1.hook_resid_pre', plain, {}],
  ['the end of the residual stream', 'blocks.1.hook_resid_post', 'blocks.1.hook_resid_post', relu, {}],
  ['keys', 'blocks.1.attn.hook_k', 'blocks.1.attn.hook_k', relu, {}],
  ['heads', 'blocks.1.attn.hook_z', 'blocks.1.attn.hook_z', relu, {}],
  [
    'topk',
    'blocks.0.hook_resid_mid',
    'blocks.0.hook_resid_mid',
    { ...relu, activation: { kind: 'topk', k: 3 } },
    {},
  ],
  [
    'jumprelu',
    'blocks.1.hook_mlp_out',
    'blocks.1.hook_mlp_out',
    { ...relu, activation: { kind: 'jumprelu' } },
    { threshold: new Float32Array(features).fill(0.4) },
  ],
  [
    'gated',
    'blocks.0.hook_attn_out',
    'blocks.0.hook_attn_out',
    { ...relu, activation: { kind: 'gated' } },
    { rMag: new Float32Array(features).fill(0.2), bMag: new Float32Array(features).fill(0.1) },
  ],
  ['a transcoder', 'blocks.0.ln2.hook_normalized', 'blocks.0.hook_mlp_out', plain, {}],
  [
    'a transcoder of the last layer with a skip connection',
    'blocks.1.ln2.hook_normalized',
    'blocks.1.hook_mlp_out',
    plain,
    { wSkip: new Float32Array(TINY.dModel ** 2).fill(0.1) },
  ],
]

for (const [name, hook, target, form, more, inputNormalization = 'none'] of cases)
  test(`effects agree with one full pass for each example: ${name}`, async () => {
    const model = await tinyModel(kernels)
    const d = hookWidth(TINY, hook)
    const arrays = { ...randomArrays(features, d), ...more }
    arrays.wEnc.fill(0, 0, d)
    arrays.bEnc[0] = -1
    const sae = { ...saeOf(kernels, arrays, d, hook, form, target), inputNormalization }
    const random = Random.named(1, name)
    const examples = random.shuffle(everyExample()).slice(0, 60)
    for (const where of ['context', 'token'] as const) {
      const results = await ablateExamples(
        { ...options, where },
        { model, sae, split, startOfText: 0 },
        examples,
      )
      let changed = 0
      for (const [i, example] of examples.entries()) {
        const expected = await slowly(model, sae, arrays, example, where)
        assert.equal(results[i].tokens, expected.tokens)
        near(results[i].total, expected.total)
        assert.equal(results[i].effects.length, expected.effects.length)
        results[i].effects.forEach((effect, e) => {
          near(effect, expected.effects[e])
        })
        if (Math.abs(expected.total) > 1e-3) changed++
        if (example.feature === 0) assert.deepEqual([results[i].total, results[i].tokens], [0, 0])
      }
      assert.ok(changed >= 5, `only ${changed} examples have an effect`)
    }
  })

const near = (value: number, expected: number): void => {
  if (Number.isNaN(expected)) assert.ok(Number.isNaN(value), `${value}, expected no effect`)
  else assert.ok(Math.abs(value - expected) < 1e-5, `${value}, expected ${expected}`)
}

test('effects do not depend on the number of threads, and on how examples are packed only by rounding', async () => {
  const [one, two] = [await loadKernels({ threads: 1 }), await loadKernels({ threads: 2 })]
  const run = async (own: typeof one, packing: Partial<AblationOptions>) => {
    const model = await tinyModel(own)
    const sae = saeOf(own, randomArrays(features, TINY.dMlp), TINY.dMlp, 'blocks.0.mlp.hook_post')
    return ablateExamples(
      { ...options, ...packing },
      { model, sae, split, startOfText: 0 },
      everyExample().slice(0, 100),
    )
  }
  const expected = await run(one, {})
  assert.deepEqual(await run(two, {}), expected)
  const repacked = await run(one, { batchWindows: 50, batchTokens: 1 })
  for (const [i, { tokens, total, effects }] of repacked.entries()) {
    assert.equal(tokens, expected[i].tokens)
    near(total, expected[i].total)
    effects.forEach((effect, e) => {
      near(effect, expected[i].effects[e])
    })
  }
})

test('rows that stand alone are packed side by side, and rows without a target left out', () => {
  const removal: Removal = {
    example: 9,
    feature: 4,
    shift: 0,
    windowStart: 0,
    rows: [1, 2],
    activations: [0.5, 2],
    contextEnd: 3,
  }
  const none = { ...removal, rows: [], activations: [] }
  const [pass, ...rest] = packPasses([none, removal], { sequence: 1, sequences: 2 }, [7, 7, -1])
  assert.equal(rest.length, 0)
  assert.deepEqual(pass, {
    source: Int32Array.of(1, 0),
    codes: {
      rowOffsets: Int32Array.of(0, 1, 1),
      featureIds: Int32Array.of(4),
      values: Float32Array.of(-0.5),
    },
    predicted: { rows: Int32Array.of(0), source: Int32Array.of(1), removals: Int32Array.of(1) },
  })
})

test('no examples, no effects; and an autoencoder of another model is refused', async () => {
  const model = await tinyModel(kernels)
  const inputs = { model, split, startOfText: 0 }
  const fitting = saeOf(kernels, randomArrays(3, 8), 8, 'blocks.0.hook_mlp_out')
  assert.deepEqual(await ablateExamples(options, { ...inputs, sae: fitting }, []), [])
  const wide = saeOf(kernels, randomArrays(3, 9), 9, 'blocks.0.hook_mlp_out')
  await assert.rejects(ablateExamples(options, { ...inputs, sae: wide }, []), { code: 'shape' })
  const elsewhere = saeOf(kernels, randomArrays(3, 8), 8, 'blocks.7.hook_mlp_out')
  await assert.rejects(ablateExamples(options, { ...inputs, sae: elsewhere }, []), { code: 'missing' })
})
