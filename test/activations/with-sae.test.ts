import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withSae } from '../../src/activations/with-sae.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createLanguageModel, type LanguageModel } from '../../src/model/language-model.js'
import { setFeature } from '../../src/sae/edit-codes.js'
import { encode, type Sae } from '../../src/sae/sae.js'
import { createSteering } from '../../src/steer/steering.js'
import { identityArrays, randomArrays, saeOf, silentArrays } from '../eval/tiny-sae.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'
import { TINY, tinyModel } from '../model/tiny-model.js'

const kernels = await loadKernels()
const letters = pieceTokenizer([...'abcdefghij'].map((letter) => [letter.charCodeAt(0)]))
const D = TINY.dModel
const hook = 'blocks.0.hook_resid_post'
const later = 'blocks.1.hook_mlp_out'
/** Start of text, then text: [2, 4] */
const tokens = [
  [0, 3, 1, 4],
  [0, 9, 2, 6],
]

const tiny = async (): Promise<LanguageModel> =>
  createLanguageModel(await tinyModel(kernels), letters, 'tiny')
const randomSae = (hookName = hook): Sae => saeOf(kernels, randomArrays(12, D), D, hookName)
const logits = async (model: LanguageModel) => (await model.forward(tokens)).logits.data
const read = async (model: LanguageModel, name = hook) =>
  (await model.forward(tokens, { read: [name] })).activations[name].data

function assertClose(actual: Float32Array, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, expected.length)
  for (let i = 0; i < actual.length; i++)
    assert.ok(Math.abs(actual[i] - expected[i]) <= tolerance, `${i}: ${actual[i]}, expected ${expected[i]}`)
}

test('with its error term an autoencoder changes no bit, edited by nothing or not at all', async () => {
  const model = await tiny()
  const plain = await logits(model)
  assert.deepEqual(await logits(withSae(model, randomSae())), plain)
  let calls = 0
  const counted = withSae(model, randomSae(), { edit: () => void calls++ })
  assert.deepEqual(await logits(counted), plain)
  assert.equal(calls, 1)
})

test('without it the reconstruction takes the place of the activation, but not at the start of a text', async () => {
  const model = await tiny()
  const bias = Float32Array.from({ length: D }, (_, i) => i / 4)
  const silent = saeOf(kernels, silentArrays(4, bias), D, hook)
  const [plain, spliced, everywhere] = [
    await read(model),
    await read(withSae(model, silent, { error: false })),
    await read(withSae(model, silent, { error: false, startOfText: true })),
  ]
  for (let n = 0; n < 8; n++) {
    const row = (values: Float32Array) => values.slice(n * D, (n + 1) * D)
    assert.deepEqual(row(spliced), n % 4 === 0 ? row(plain) : bias)
    assert.deepEqual(row(everywhere), bias)
  }
  assert.notDeepEqual(await logits(withSae(model, silent, { error: false })), await logits(model))
})

test('an autoencoder that reconstructs everything changes next to nothing', async () => {
  const model = await tiny()
  const identity = saeOf(kernels, identityArrays(D), D, hook)
  assertClose(await logits(withSae(model, identity, { error: false })), await logits(model), 1e-4)
})

test('an edited feature moves the activation along its decoder direction, as steering does', async () => {
  const model = await tiny()
  const sae = randomSae()
  const clamped = withSae(model, sae, { edit: (codes) => setFeature(codes, 5, 3) })
  const steering = createSteering(model.transformer, sae, 0, [{ feature: 5, kind: 'clamp', value: 3 }])
  assertClose(await logits(clamped), await logits(model.withHooks(steering.hooks)), 1e-3)
  const replacing = createSteering(model.transformer, sae, 0, [{ feature: 5, kind: 'clamp', value: 3 }], {
    keepError: false,
  })
  const alone = withSae(model, sae, { error: false, edit: (codes) => setFeature(codes, 5, 3) })
  assertClose(await logits(alone), await logits(model.withHooks(replacing.hooks)), 1e-3)
})

test('an edit sees the features of the tokens that are spliced, may wait, and may work in place', async () => {
  const model = await tiny()
  const sae = randomSae()
  const x = kernels.tensor(await read(model), [8, D])
  const all = await encode(sae, x)
  const ablated = withSae(model, sae, {
    error: false,
    async edit(codes, rows, of) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      assert.equal(of, sae)
      assert.deepEqual([...rows.indices], [1, 2, 3, 1, 2, 3])
      assert.deepEqual([...rows.sequences], [0, 0, 0, 1, 1, 1])
      assert.deepEqual([...rows.tokens], [3, 1, 4, 9, 2, 6])
      assert.deepEqual(
        [...codes.featureIds.subarray(0, codes.rowOffsets[1])],
        [...all.featureIds.subarray(all.rowOffsets[1], all.rowOffsets[2])],
      )
      codes.values.fill(0)
    },
  })
  const activations = await read(ablated)
  assertClose(activations.slice(D, 2 * D), await kernels.readF32(sae.params.bDec), 1e-6)
})

test('several autoencoders are spliced at once', async () => {
  const model = await tiny()
  const saes = [randomSae(), randomSae(later)]
  const together = withSae(model, saes, { error: false })
  const nested = withSae(withSae(model, saes[0], { error: false }), saes[1], { error: false })
  assert.deepEqual(await logits(together), await logits(nested))
  assert.notDeepEqual(
    await read(together, later),
    await read(withSae(model, saes[0], { error: false }), later),
  )
  const edited: string[] = []
  await logits(withSae(model, saes, { edit: (_codes, _rows, sae) => void edited.push(sae.hookName) }))
  assert.deepEqual(edited, [hook, later])
})

test('a transcoder replaces its target by what it reads elsewhere', async () => {
  const model = await tiny()
  const target = 'blocks.0.hook_mlp_out'
  const source = 'blocks.0.ln2.hook_normalized'
  const form = { activation: { kind: 'relu' }, subtractDecoderBias: false } as const
  const transcoder = saeOf(kernels, identityArrays(D), D, source, form, target)
  const spliced = withSae(model, transcoder, { error: false, startOfText: true })
  assertClose(await read(spliced, target), await read(model, source), 1e-5)
  const kept = withSae(model, transcoder, { edit: () => {}, startOfText: true })
  assert.deepEqual(await logits(kept), await logits(model))
  const doubled = withSae(model, transcoder, {
    startOfText: true,
    edit: (codes) => ({ ...codes, values: codes.values.map((value) => 2 * value) }),
  })
  const [plain, x] = [await read(model, target), await read(model, source)]
  assertClose(
    await read(doubled, target),
    plain.map((value, i) => value + x[i]),
    1e-4,
  )
})

test('a spliced model writes, and its gradients pass the splice', async () => {
  const model = await tiny()
  const options = { temperature: 0, maxTokens: 5 }
  const [plain] = await model.write(['ab'], options)
  const sae = randomSae()
  const [kept] = await withSae(model, sae, { edit: () => {} }).write(['ab'], options)
  assert.deepEqual(kept.tokens, plain.tokens)
  const strong = withSae(model, sae, { edit: (codes) => setFeature(codes, 3, 50) })
  const steering = createSteering(model.transformer, sae, 0, [{ feature: 3, kind: 'clamp', value: 50 }])
  const [[edited], [steered]] = [
    await strong.write(['ab'], options),
    await model.write(['ab'], { ...options, hooks: steering.hooks }),
  ]
  assert.deepEqual(edited.tokens, steered.tokens)
  assert.notDeepEqual(edited.tokens, plain.tokens)
  const { gradients } = await strong.gradients(tokens, { read: [hook, 'hook_embed'] })
  assert.ok(gradients.hook_embed.data.some((slope) => slope !== 0))
})

test('an autoencoder of another model is refused', async () => {
  const model = await tiny()
  assert.throws(() => withSae(model, saeOf(kernels, randomArrays(4, D + 1), D + 1, hook)), { code: 'shape' })
  assert.throws(() => withSae(model, randomSae('blocks.7.hook_resid_post')), {
    code: 'missing',
    hint: /blocks\.[01]\.hook_resid_post/,
  })
  const backwards = saeOf(kernels, randomArrays(4, D), D, later, undefined, hook)
  assert.throws(() => withSae(model, backwards), { code: 'config', message: /reads before it writes/ })
})

test('an edit that returns codes of other tokens or features is refused', async () => {
  const model = await tiny()
  const short = withSae(model, randomSae(), {
    edit: () => ({
      rowOffsets: new Int32Array(2),
      featureIds: new Int32Array(0),
      values: new Float32Array(0),
    }),
  })
  await assert.rejects(logits(short), { code: 'shape' })
  await assert.rejects(logits(withSae(model, randomSae(), { edit: (codes) => setFeature(codes, 12, 1) })), {
    code: 'shape',
  })
})
