import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Codes, Kernels, SaeForm, Tensor } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { continueTexts, type PassRows } from '../../src/model/generate.js'
import type { Transformer } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import type { InputNormalization } from '../../src/sae/input-normalization.js'
import { decode, encode, type Sae } from '../../src/sae/sae.js'
import { readSae } from '../../src/sae/sae-params.js'
import { createSteering, type FeatureEdit, type SteeringOptions } from '../../src/steer/steering.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'
import { RandomTensors, type SaeLayout } from '../kernels/random-tensors.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'
import { TINY, tinyModel } from '../model/tiny-model.js'

const native = await loadKernels()
const F = 24
const hook = 'blocks.0.hook_resid_mid'

const forms: SaeForm['activation'][] = [
  { kind: 'relu' },
  { kind: 'jumprelu' },
  { kind: 'gated' },
  { kind: 'topk', k: 9 },
]

interface Case {
  name: string
  layout: Omit<SaeLayout, 'features'>
  subtractDecoderBias: boolean
  hooks: [string, string]
  inputNormalization?: InputNormalization
}

const D = TINY.dModel
const M = TINY.dMlp
const cases: Case[] = forms.flatMap((activation) => [
  ...[true, false].map(
    (subtractDecoderBias): Case => ({
      name: `${activation.kind}${subtractDecoderBias ? ', b_dec subtracted' : ''}`,
      layout: { d: D, activation },
      subtractDecoderBias,
      hooks: [hook, hook],
    }),
  ),
  ...[false, true].map(
    (skip): Case => ({
      name: `${activation.kind} ${skip ? 'skip ' : ''}transcoder`,
      layout: { d: D, dOut: M, activation, skip },
      subtractDecoderBias: false,
      hooks: ['blocks.0.ln2.hook_normalized', 'blocks.0.mlp.hook_post'],
    }),
  ),
])

cases.push(
  ...(['layer_norm', 'constant_norm_rescale'] as const).flatMap((inputNormalization) =>
    [cases[0], cases[12]].map((plain) => ({
      ...plain,
      name: `${plain.name}, ${inputNormalization}`,
      inputNormalization,
    })),
  ),
)

async function saeFor(
  kernels: Kernels,
  { name, inputNormalization = 'none', layout, subtractDecoderBias, hooks }: Case,
): Promise<Sae> {
  const random = new RandomTensors(kernels, name.length)
  const arrays = await readSae(kernels, random.sae({ features: F, ...layout }))
  const form = { activation: layout.activation!, subtractDecoderBias }
  return { ...saeOf(kernels, arrays, layout.d, hooks[0], form, hooks[1]), inputNormalization }
}

/** Rows of one text whose first token is <|endoftext|>. */
function rowsOf(n: number, promptLength = n): PassRows {
  return {
    tokens: Int32Array.from({ length: n }, (_, i) => i % TINY.vocabularySize),
    sequences: new Int32Array(n),
    indices: Int32Array.from({ length: n }, (_, i) => i),
    writes: Uint8Array.from({ length: n }, (_, i) => (i >= promptLength - 1 ? 1 : 0)),
  }
}

/** What steering makes of y, given x (the same tensor but for transcoders). */
async function steered(
  model: Transformer,
  sae: Sae,
  x: Tensor,
  y: Tensor,
  edits: readonly FeatureEdit[],
  options: SteeringOptions,
  rows = rowsOf(x.shape[0]),
): Promise<Float32Array> {
  const { kernels } = sae
  const steering = createSteering(model, sae, 0, edits, options)
  const copies = x === y ? [copyOf(kernels, x)] : [copyOf(kernels, x), copyOf(kernels, y)]
  const hooks = steering.hooks(rows)
  for (const [i, name] of [...new Set([sae.hookName, sae.targetHookName])].entries())
    hooks[name]?.(copies[i], name)
  steering.free()
  if (copies.length > 1) assert.deepEqual(await kernels.readF32(copies[0]), await kernels.readF32(x))
  return kernels.readF32(copies.at(-1)!)
}

function copyOf(kernels: Kernels, x: Tensor): Tensor {
  const copy = kernels.zeros(x.shape)
  kernels.copy(copy, x)
  return copy
}

/** decode(the codes with these features changed) + the error, the obvious way. */
async function expectedEdit(
  sae: Sae,
  x: Tensor,
  y: Tensor,
  edits: readonly FeatureEdit[],
  keepError: boolean,
): Promise<Float32Array> {
  const { kernels, dOut } = sae
  const n = x.shape[0]
  const codes = await encode(sae, x)
  const xHat = kernels.zeros([n, dOut])
  decode(sae, xHat, codes, x)
  const [plain, target] = await Promise.all([kernels.readF32(xHat), kernels.readF32(y)])
  const edited = editCodes(codes, edits)
  decode(sae, xHat, edited, x)
  const decoded = await kernels.readF32(xHat)
  return decoded.map((value, i) => value + (keepError ? target[i] - plain[i] : 0))
}

function editCodes({ rowOffsets, featureIds, values }: Codes, edits: readonly FeatureEdit[]): Codes {
  const rows = Array.from({ length: rowOffsets.length - 1 }, (_, n) => {
    const row = new Map<number, number>()
    for (let e = rowOffsets[n]; e < rowOffsets[n + 1]; e++) row.set(featureIds[e], values[e])
    for (const { feature, kind, value } of edits)
      row.set(feature, (kind === 'add' ? (row.get(feature) ?? 0) : 0) + value)
    return [...row].sort(([a], [b]) => a - b)
  })
  return {
    rowOffsets: Int32Array.from([0, ...rows.map((_, n) => rows.slice(0, n + 1).flat().length)]),
    featureIds: Int32Array.from(rows.flat(), ([feature]) => feature),
    values: Float32Array.from(rows.flat(), ([, value]) => value),
  }
}

function assertClose(actual: Float32Array, expected: Float32Array, name: string): void {
  const scale = Math.max(1, ...expected.map(Math.abs))
  for (const [i, value] of expected.entries())
    assert.ok(
      Math.abs(actual[i] - value) <= 1e-5 * scale,
      `${name}: [${i}] is ${actual[i]}, expected ${value}`,
    )
}

const edits: FeatureEdit[] = [
  { feature: 3, kind: 'clamp', value: 2.5 },
  { feature: 7, kind: 'add', value: -1.25 },
  { feature: 20, kind: 'clamp', value: 0 },
]

for (const kernels of [native, createReferenceKernels()])
  test(`steering equals decoding the edited codes plus the error, for every architecture (${kernels.name})`, async () => {
    const model = await tinyModel(kernels)
    for (const one of cases) {
      const sae = await saeFor(kernels, one)
      const random = new RandomTensors(kernels, 4)
      const x = random.eighths([30, sae.d], 2)
      const y = sae.hookName === sae.targetHookName ? x : random.eighths([30, sae.dOut], 2)
      const scope = { tokens: 'all', skipBos: false } as const
      for (const keepError of [true, false])
        for (const some of [edits, edits.slice(0, 1), edits.slice(1, 2)])
          assertClose(
            await steered(model, sae, x, y, some, { scope, keepError }),
            await expectedEdit(sae, x, y, some, keepError),
            `${one.name}, ${some.length} edits${keepError ? '' : ', without the error'}`,
          )
      const { featureIds } = await encode(sae, x)
      assert.ok(featureIds.includes(3) && featureIds.includes(20), `${one.name}: edited features fire`)
    }
  })

test('after clamping, the autoencoder itself reads the value where its features do not overlap', async () => {
  const model = await tinyModel(native)
  const wEnc = new Float32Array(D * D)
  for (let i = 0; i < D; i++) wEnc[i * D + i] = 1
  const arrays = { wEnc, bEnc: new Float32Array(D), wDec: wEnc.slice(), bDec: new Float32Array(D) }
  const sae = saeOf(native, arrays, D, hook)
  const x = native.tensor(
    Float32Array.from({ length: 3 * D }, (_, i) => i - 9),
    [3, D],
  )
  const clamp = [{ feature: 2, kind: 'clamp', value: 7 } as const]
  const result = await steered(model, sae, x, x, clamp, {})
  const before = await native.readF32(x)
  assert.deepEqual(
    [...result],
    [...before].map((value, i) => (i % D === 2 && i >= D ? (value > 0 ? 7 : value + 7) : value)),
    'x + (7 - f) d: a negative x stays below by what ReLU cut off; <|endoftext|> is left alone',
  )
})

test('only the tokens in scope are changed', async () => {
  const model = await tinyModel(native)
  const sae = await saeFor(native, cases[0])
  const x = new RandomTensors(native, 1).signed([6, D])
  const before = await native.readF32(x)
  const changed = async (scope: SteeringOptions['scope'], promptLength = 4) => {
    const options = { scope, keepError: true }
    const after = await steered(model, sae, x, x, edits.slice(1, 2), options, rowsOf(6, promptLength))
    return Array.from({ length: 6 }, (_, n) => n).filter((n) =>
      after.subarray(n * D, (n + 1) * D).some((value, i) => value !== before[n * D + i]),
    )
  }
  assert.deepEqual(await changed(undefined), [1, 2, 3, 4, 5])
  assert.deepEqual(await changed({ tokens: 'all', skipBos: false }), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(await changed({ tokens: 'generated' }), [3, 4, 5])
  assert.deepEqual(await changed({ tokens: 'generated' }, 1), [1, 2, 3, 4, 5])
  assert.deepEqual(await changed({ tokens: 'positions', positions: [2, 5, 0, 99] }), [2, 5])
  assert.deepEqual(await changed({ tokens: 'positions' }), [])
})

test('a text written while steering is another one, and the same again', async () => {
  const model = await tinyModel(native)
  const sae = saeOf(native, randomArrays(F, D), D, hook)
  const letters = pieceTokenizer([...'abcdefghij'].map((letter) => [letter.charCodeAt(0)]))
  const write = async (value: number) => {
    const steering = createSteering(model, sae, 0, [{ feature: 1, kind: 'clamp', value }])
    const texts = await continueTexts(model, letters, ['abc', 'h'], { maxTokens: 20 }, steering)
    steering.free()
    return texts
  }
  assert.deepEqual(await write(40), await write(40))
  assert.notDeepEqual(await write(40), await write(-40))
})

test('edits that make no sense are refused', async () => {
  const model = await tinyModel(native)
  const sae = saeOf(native, randomArrays(F, D), D, hook)
  const make =
    (...edits: Partial<FeatureEdit>[]) =>
    () =>
      createSteering(
        model,
        sae,
        0,
        edits.map((edit) => ({ feature: 0, kind: 'clamp', value: 1, ...edit })),
      )
  assert.throws(make(), { code: 'config', message: /at least one feature/ })
  assert.throws(make({ feature: F }), { code: 'missing', message: /feature 24: .* from 0 to 23/ })
  assert.throws(make({ feature: 0.5 }), { code: 'missing' })
  assert.throws(make({ value: Number.NaN }), { code: 'config', message: /got NaN/ })
  assert.throws(make({ value: 1e30 }), { code: 'config', message: /got 1e\+30/ })
  assert.throws(make({ feature: 4 }, { feature: 4 }), { code: 'config', message: /feature 4 is named twice/ })
  const random = Random.named(1, 'other width')
  const wide = saeOf(native, randomArrays(4, D + random.int(3) + 1), D, hook)
  assert.throws(
    () => createSteering(model, { ...wide, d: 9 }, 0, [{ feature: 0, kind: 'clamp', value: 1 }]),
    {
      code: 'shape',
    },
  )
  const backwards = saeOf(
    native,
    { ...randomArrays(4, D), wDec: new Float32Array(4 * D) },
    D,
    'blocks.1.hook_resid_pre',
    { activation: { kind: 'relu' }, subtractDecoderBias: false },
    hook,
  )
  assert.throws(() => createSteering(model, backwards, 0, [{ feature: 0, kind: 'clamp', value: 1 }]), {
    code: 'config',
    message: /reads before it writes/,
  })
})
