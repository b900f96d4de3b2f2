import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readSafetensors, type SafeTensor, writeSafetensors } from '../../../src/formats/safetensors.js'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { convertSae } from '../../../src/sae/formats/convert-sae.js'
import { detectSae, listSaes } from '../../../src/sae/formats/detect.js'
import { readDictionaryLearning } from '../../../src/sae/formats/dictionary-learning.js'
import { readSae } from '../../../src/sae/formats/read-sae.js'
import { decode, encode, loadSae } from '../../../src/sae/sae.js'
import { temporaryDirectory } from '../../temporary-directory.js'
import { goldenDirectory, readGolden } from './golden-sae.js'

/** A copy of a golden autoencoder with its configuration and tensors changed; undefined takes a key or a tensor away. */
async function changed(
  t: TestContext,
  layout: string,
  config: Record<string, unknown> = {},
  tensors: Record<string, SafeTensor | undefined> = {},
): Promise<string> {
  const directory = join(await temporaryDirectory(t), 'sae')
  await cp(join(goldenDirectory, layout), directory, { recursive: true })
  const name = existsSync(join(directory, 'cfg.json')) ? 'cfg.json' : 'config.json'
  const cfg = JSON.parse(await readFile(join(directory, name), 'utf8'))
  await writeFile(join(directory, name), JSON.stringify({ ...cfg, ...config }))
  const weights = join(directory, layout === 'sparsify' ? 'sae.safetensors' : 'sae_weights.safetensors')
  if (Object.keys(tensors).length > 0) {
    const all: Record<string, SafeTensor | undefined> = {
      ...(await readSafetensors(weights)).tensors,
      ...tensors,
    }
    for (const [key, value] of Object.entries(all)) if (value === undefined) delete all[key]
    await writeSafetensors(weights, all as Record<string, SafeTensor>)
  }
  return directory
}

const zeros = (...shape: number[]): SafeTensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
})

const cases: [
  what: string,
  layout: string,
  config: object,
  tensors: Record<string, SafeTensor | undefined>,
  message: RegExp,
][] = [
  [
    'a missing tensor',
    'saelens/standard',
    {},
    { b_enc: undefined },
    /sae_weights\.safetensors: expected a tensor b_enc \[64\]/,
  ],
  [
    'a transposed matrix',
    'saelens/standard',
    {},
    { W_dec: zeros(16, 64) },
    /expected W_dec \[64,16\] .*got F32 \[16,64\]/,
  ],
  [
    'integers',
    'saelens/standard',
    {},
    { b_enc: { shape: [64], data: new Int32Array(64) } },
    /b_enc as floating-point numbers, got I32/,
  ],
  [
    'a tensor of another kind',
    'saelens/standard',
    {},
    { threshold: zeros(64) },
    /standard autoencoder of SAELens has no tensor threshold/,
  ],
  [
    'an unknown architecture',
    'saelens/standard',
    { architecture: 'temporal' },
    {},
    /cfg\.json: architecture is temporal, expected standard/,
  ],
  [
    'an unknown normalisation',
    'saelens/standard',
    { normalize_activations: 'batch' },
    {},
    /normalize_activations is batch, expected none/,
  ],
  [
    'an unknown reshape',
    'saelens/standard',
    { reshape_activations: 'flat' },
    {},
    /reshape_activations is flat/,
  ],
  [
    'a factor that is nowhere',
    'saelens/standard',
    { normalize_activations: 'expected_average_only_in' },
    {},
    /the factor is not in .*activation_scaler\.json/,
  ],
  ['k beyond the features', 'saelens/topk', { k: 65 }, {}, /expected k up to d_sae 64, got 65/],
  [
    'two answers about b_dec',
    'saelens/standard',
    { monosem: { activationScale: 1, subtractDecoderBias: false } },
    {},
    /apply_b_dec_to_input is true and monosem.subtractDecoderBias false/,
  ],
  [
    'a normed transcoder',
    'saelens/standard',
    { architecture: 'transcoder', apply_b_dec_to_input: false, normalize_activations: 'layer_norm' },
    {},
    /normalize_activations is layer_norm, expected none for transcoder/,
  ],
  [
    'a finetuned factor without its key',
    'saelens/standard',
    {},
    { scaling_factor: zeros(64) },
    /scaling_factor is not 1 everywhere/,
  ],
  [
    'an old activation function',
    'saelens/standard',
    { metadata: undefined, activation_fn_str: 'tanh-relu' },
    {},
    /activation_fn is tanh-relu, expected relu or topk/,
  ],
  ['other widths', 'sparsify', { num_latents: 128 }, {}, /expected 128 latents, got 64/],
  ['another activation', 'sparsify', { activation: 'groupmax' }, {}, /activation is groupmax, expected topk/],
  ['no such k', 'sparsify', { k: 0 }, {}, /is not a configuration of sparsify: k/],
  ['an n-gram table', 'sparsify', { gram_lookup: true }, {}, /gram_lookup is true, expected false/],
  [
    'a skip matrix that the configuration denies',
    'sparsify',
    {},
    { W_skip: zeros(16, 16) },
    /autoencoder of sparsify has no tensor W_skip/,
  ],
  [
    'another class',
    'dictionary-learning/gated',
    { trainer: { dict_class: 'CrossCoder' } },
    {},
    /dict_class is CrossCoder, expected AutoEncoder,/,
  ],
  [
    'the class of other tensors',
    'dictionary-learning/gated',
    { trainer: { dict_class: 'AutoEncoder' } },
    {},
    /expected a tensor encoder\.bias \[64\] of a AutoEncoder/,
  ],
  [
    'other sizes',
    'dictionary-learning/relu',
    { trainer: { dict_class: 'AutoEncoder', activation_dim: 16, dict_size: 32 } },
    {},
    /dict_size 32, got 16 and 64/,
  ],
  [
    'another k',
    'dictionary-learning/topk',
    { trainer: { dict_class: 'AutoEncoderTopK', k: 7 } },
    {},
    /expected k 7 as in config\.json, got 6/,
  ],
]

for (const [what, layout, config, tensors, message] of cases)
  test(`refused, by name: ${what} (${layout})`, async (t) => {
    await assert.rejects(readSae(await changed(t, layout, { ...config }, tensors)), {
      code: 'format',
      message,
    })
  })

test('NaN and infinite weights are read, counted and warned of', async (t) => {
  const { tensors } = await readSafetensors(join(goldenDirectory, 'saelens/standard/sae_weights.safetensors'))
  const wDec = tensors.W_dec.data as Float32Array
  wDec[5] = Number.NaN
  wDec[70] = Number.NEGATIVE_INFINITY
  const directory = await changed(t, 'saelens/standard', {}, { W_dec: tensors.W_dec })
  const { warnings } = await readSae(directory)
  assert.deepEqual(warnings, [
    `${join(directory, 'sae_weights.safetensors')}: 2 of 1024 numbers of W_dec are NaN or infinite`,
  ])
  const notes: string[] = []
  const progress = { start: () => ({ update() {}, end() {} }), note: (text: string) => notes.push(text) }
  await loadSae(createReferenceKernels(), directory, { progress })
  assert.match(notes[0], /^warning: .*2 of 1024/)
})

test('a BatchTopK whose threshold was never set keeps every positive pre-activation, and says so', async () => {
  const found = await detectSae(join(goldenDirectory, 'dictionary-learning/batch-topk'))
  const { weights } = found
  const unset = {
    ...weights,
    read: async (name: string) => (name === 'threshold' ? Float32Array.of(-1) : weights.read(name)),
  }
  const { arrays, warnings } = await readDictionaryLearning({ ...found, weights: unset })
  assert.deepEqual(arrays.threshold, new Float32Array(64))
  assert.match(warnings[0], /threshold was never set \(-1\): every positive pre-activation is active/)
})

test('what is nothing, or more than one thing, is refused with what was seen', async (t) => {
  const directory = await temporaryDirectory(t)
  await assert.rejects(readSae(join(directory, 'absent')), { code: 'missing' })
  await assert.rejects(readSae(directory), {
    code: 'missing',
    message: /expected a file of weights, got nothing/,
  })
  await writeFile(join(directory, 'readme.md'), '#')
  await assert.rejects(readSae(directory), { code: 'missing', message: /got readme\.md/ })
  await assert.rejects(readSae(join(directory, 'readme.md')), {
    code: 'format',
    message: /ends in \.safetensors/,
  })

  await writeSafetensors(join(directory, 'sae.safetensors'), { a: zeros(2), b: zeros(3) })
  await assert.rejects(readSae(directory), {
    code: 'format',
    message: /expected the layout .* saw tensors a, b; no configuration/,
  })
  const both = await changed(t, 'saelens/standard', { k: 3 }, { 'encoder.weight': zeros(64, 16) })
  await assert.rejects(readSae(both), {
    code: 'format',
    message: /expected one layout, got saelens \(.*\) and sparsify \(/,
  })
  await cp(join(both, 'sae_weights.safetensors'), join(both, 'ae.pt'))
  await assert.rejects(readSae(both), { code: 'format', message: /got sae_weights\.safetensors, ae\.pt/ })
})

test('a folder of several names them, and each can be read', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const name of ['layers.0', 'layers.1.mlp', 'deep/layers.2'])
    await cp(join(goldenDirectory, 'sparsify'), join(directory, name), { recursive: true })
  await mkdir(join(directory, 'empty'))
  assert.deepEqual(await listSaes(directory), ['deep/layers.2', 'layers.0', 'layers.1.mlp'])
  assert.deepEqual(await listSaes(join(directory, 'layers.0')), [])
  await assert.rejects(readSae(directory), {
    code: 'format',
    message: /a folder of 3: deep\/layers\.2, layers\.0/,
  })
  const found = await Promise.all(
    ['layers.0', 'layers.1.mlp'].map(
      async (name) => (await readSae(join(directory, name))).conventions.hookName,
    ),
  )
  assert.deepEqual(found, ['blocks.0.hook_resid_post', 'blocks.1.hook_mlp_out'])
})

test('a pickle that calls something is refused by name, and nothing runs', async (t) => {
  const directory = await temporaryDirectory(t)
  await cp(join(goldenDirectory, 'evil-pickle'), directory, { recursive: true })
  await assert.rejects(readSae(directory), { code: 'format', message: /system/ })
  assert.deepEqual(await readdir(directory), ['ae.pt'])
})

test('a finished conversion is never overwritten, and its files are checked', async (t) => {
  const out = join(await temporaryDirectory(t), 'out')
  const source = join(goldenDirectory, 'saelens/gated')
  assert.equal((await convertSae(source, out)).reused, false)
  assert.equal((await convertSae(source, out)).reused, true)
  await assert.rejects(convertSae(join(goldenDirectory, 'sparsify'), out), {
    code: 'config',
    message: /was made with another configuration/,
  })
  const weights = await readFile(join(out, 'sae_weights.safetensors'))
  weights[weights.length - 1] ^= 1
  await writeFile(join(out, 'sae_weights.safetensors'), weights)
  await assert.rejects(readSae(out), { code: 'corrupt', message: /sae_weights\.safetensors/ })
  await rm(out, { recursive: true })
  await mkdir(out)
  await writeFile(join(out, 'notes.txt'), 'mine')
  await assert.rejects(convertSae(source, out), {
    code: 'config',
    message: /exists and is not a finished sae/,
  })
  assert.deepEqual(await readdir(out), ['notes.txt'])
})

test('decoding normed tokens without them is an error', async () => {
  const directory = join(goldenDirectory, 'saelens/standard-layer-norm')
  const kernels = createReferenceKernels()
  const sae = await loadSae(kernels, directory)
  const { n, d, x } = await readGolden(directory)
  const codes = await encode(sae, kernels.tensor(x, [n, d]))
  assert.throws(() => decode(sae, kernels.zeros([n, d]), codes), {
    code: 'shape',
    message: /layer_norm needs/,
  })
})
