import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type SafeTensor, writeSafetensors } from '../../../src/formats/safetensors.js'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { Random } from '../../../src/random/random.js'
import { convertSae } from '../../../src/sae/formats/convert-sae.js'
import { type LoadSaeOptions, loadSae, type Sae } from '../../../src/sae/sae.js'
import { temporaryDirectory } from '../../temporary-directory.js'
import { assertSame, runOn } from './golden-sae.js'

/*
 * Layouts of which there are no files of the programs themselves: weights are made up, and f and x_hat computed here from the equations that the
 * programs state, matrix by matrix in their own orientation.
 */

const kernels = createReferenceKernels()
const [N, D, F] = [7, 4, 6]

/** [rows][columns] */
type Matrix = number[][]

const random = new Random(11)
const matrix = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.fround(random.normal())))
const vector = (length: number, scale = 1): number[] =>
  matrix(1, length)[0].map((v) => Math.fround(scale * v))

const tensor = (values: Matrix | number[], ...shape: number[]): SafeTensor => ({
  shape,
  data: Float32Array.from(values.flat()),
})

/** a [n][m] times b [m][k] */
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, c) => row.reduce((sum, value, i) => sum + value * b[i][c], 0)))
const plus = (a: Matrix, row: readonly number[]): Matrix =>
  a.map((values) => values.map((v, c) => v + row[c]))
const each = (a: Matrix, fn: (value: number, column: number) => number): Matrix =>
  a.map((row) => row.map((value, c) => fn(value, c)))
const norm = (row: readonly number[]): number => Math.hypot(...row)
const positive = (value: number): number => Math.max(0, value)

/** The k largest of each row, the others 0. */
const top = (a: Matrix, k: number): Matrix =>
  a.map((row) => {
    const kept = [...row.keys()].sort((i, j) => row[j] - row[i]).slice(0, k)
    return row.map((value, c) => (kept.includes(c) ? value : 0))
  })

const x = matrix(N, D)
const flat = (values: Matrix): Float32Array => Float32Array.from(values.flat())

/** Writes files, loads them, and again after conversion; both must compute f and xHat. */
async function check(
  t: TestContext,
  {
    files,
    f,
    xHat,
    options = {},
  }: {
    files: Record<string, Record<string, SafeTensor> | object>
    f: Matrix
    xHat: Matrix
    options?: LoadSaeOptions
  },
): Promise<Sae> {
  const directory = join(await temporaryDirectory(t), 'layer_3')
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    if (name.endsWith('.json')) await writeFile(path, JSON.stringify(content))
    else await writeSafetensors(path, content as Record<string, SafeTensor>)
  }
  const sae = await loadSae(kernels, directory, options)
  const golden = { n: N, d: D, x: flat(x), f: flat(f), xHat: flat(xHat) }
  const found = await runOn(sae, golden)
  assertSame('f', found.f, golden.f)
  assertSame('x_hat', found.xHat, golden.xHat)
  const converted = join(directory, '../converted')
  await convertSae(directory, converted, options)
  const after = await loadSae(kernels, converted)
  assert.deepEqual(await runOn(after, golden), found, 'the converted one computes the same bits')
  assert.equal(after.conventions.featureUnits, sae.conventions.featureUnits)
  assert.deepEqual([after.hookName, after.targetHookName], [sae.hookName, sae.targetHookName])
  return sae
}

const [wEnc, wDec] = [matrix(D, F), matrix(F, D)]
const [bEnc, bDec] = [vector(F), vector(D)]
const threshold = vector(F).map((v) => Math.fround(Math.abs(v) / 2))
const transposed = (a: Matrix): Matrix => a[0].map((_, c) => a.map((row) => row[c]))

for (const skip of [false, true])
  test(`Gemma Scope 2${skip ? ' transcoder with an affine skip connection, x times the matrix as stored' : ''}`, async (t) => {
    const wSkip = matrix(D, D)
    const f = each(plus(times(x, wEnc), bEnc), (z, j) => (z > threshold[j] ? positive(z) : 0))
    const plain = plus(times(f, wDec), bDec)
    const sae = await check(t, {
      files: {
        'params.safetensors': {
          w_enc: tensor(wEnc, D, F),
          w_dec: tensor(wDec, F, D),
          b_enc: tensor(bEnc, F),
          b_dec: tensor(bDec, D),
          threshold: tensor(threshold, F),
          ...(skip && { affine_skip_connection: tensor(wSkip, D, D) }),
        },
        'config.json': {
          hf_hook_point_in: skip
            ? 'model.layers.5.pre_feedforward_layernorm.output'
            : 'model.layers.5.output',
          hf_hook_point_out: skip
            ? 'model.layers.5.post_feedforward_layernorm.output'
            : 'model.layers.5.output',
          width: F,
          model_name: 'google/gemma-3-1b-pt',
          architecture: 'jump_relu',
          l0: 20,
          affine_connection: skip,
          type: skip ? 'transcoder' : 'sae',
        },
      },
      f,
      xHat: skip ? plain.map((row, n) => row.map((v, c) => v + times([x[n]], wSkip)[0][c])) : plain,
    })
    assert.equal(sae.targetHookName, skip ? 'blocks.5.hook_mlp_out' : 'blocks.5.hook_resid_post')
    assert.equal(sae.config.architecture, skip ? 'jumprelu_skip_transcoder' : 'jumprelu')
    assert.equal(sae.conventions.format, 'gemma-scope-2')
  })

const hookNames = { hook_point_in: 'blocks.3.hook_resid_post', hook_point_out: 'blocks.3.hook_resid_post' }
const meanNorm = 1.25
const s = Math.sqrt(D) / meanNorm
const decoderNorms = wDec.map(norm)

test('Llama Scope, newest files: thresholds on scaled pre-activations times decoder norms, mean norms as tensors', async (t) => {
  const z = plus(
    times(
      each(x, (v) => s * v),
      wEnc,
    ),
    bEnc,
  )
  const f = each(z, (value, j) =>
    value * decoderNorms[j] > threshold[j] ? positive(value * decoderNorms[j]) : 0,
  )
  const sae = await check(t, {
    files: {
      'sae_weights.safetensors': {
        W_E: tensor(wEnc, D, F),
        b_E: tensor(bEnc, F),
        W_D: tensor(wDec, F, D),
        b_D: tensor(bDec, D),
        'activation_function.log_jumprelu_threshold': tensor(threshold.map(Math.log), F),
        'dataset_average_activation_norm.blocks.3.hook_resid_post': tensor([meanNorm]),
      },
      'config.json': {
        sae_type: 'sae',
        d_model: D,
        expansion_factor: F / D,
        act_fn: 'jumprelu',
        norm_activation: 'dataset-wise',
        sparsity_include_decoder_norm: true,
        ...hookNames,
      },
    },
    f,
    xHat: each(
      plus(
        times(
          each(f, (v, j) => v / decoderNorms[j]),
          wDec,
        ),
        bDec,
      ),
      (v) => v / s,
    ),
  })
  assert.ok(Math.abs(sae.conventions.activationScale - s) < 1e-6)
  assert.equal(sae.conventions.featureUnits, 'scaled')
  assert.equal(sae.conventions.thresholdSpace, 'pre-activation times decoder norm')
})

test('Llama Scope, first files: one threshold in raw units, and targets with a scale of their own', async (t) => {
  const [meanOut, theta] = [3.5, 0.25]
  const target = Math.sqrt(D) / meanOut
  const z = plus(
    times(
      each(x, (v) => s * v),
      wEnc,
    ),
    bEnc,
  )
  const f = each(z, (value, j) =>
    (value * decoderNorms[j]) / s > theta ? positive(value * decoderNorms[j]) : 0,
  )
  const sae = await check(t, {
    files: {
      'checkpoints/final.safetensors': {
        'encoder.weight': tensor(transposed(wEnc), F, D),
        'encoder.bias': tensor(bEnc, F),
        'decoder.weight': tensor(transposed(wDec), D, F),
        'decoder.bias': tensor(bDec, D),
      },
      'hyperparams.json': {
        d_model: D,
        d_sae: F,
        act_fn: 'jumprelu',
        jump_relu_threshold: theta,
        top_k: 50,
        dataset_average_activation_norm: { in: meanNorm, out: meanOut },
        hook_point_in: 'blocks.3.ln2.hook_normalized',
        hook_point_out: 'blocks.3.hook_mlp_out',
      },
    },
    f,
    xHat: each(
      plus(
        times(
          each(f, (v, j) => v / decoderNorms[j]),
          wDec,
        ),
        bDec,
      ),
      (v) => v / target,
    ),
  })
  assert.equal(sae.config.architecture, 'jumprelu_transcoder')
  assert.equal(sae.targetHookName, 'blocks.3.hook_mlp_out')
})

for (const [name, transcode, skip] of [
  ['a transcoder', true, false],
  ['a transcoder with a skip connection', true, true],
  ['an autoencoder with a skip connection', false, true],
] as const)
  test(`sparsify: ${name}`, async (t) => {
    const wSkip = matrix(D, D)
    const input = transcode
      ? x
      : plus(
          x,
          bDec.map((v) => -v),
        )
    const f = top(each(plus(times(input, wEnc), bEnc), positive), 2)
    const plain = plus(times(f, wDec), bDec)
    const sae = await check(t, {
      files: {
        'cfg.json': {
          ...{ activation: 'topk', expansion_factor: 1, num_latents: F, k: 2, d_in: D },
          ...{ transcode, skip_connection: skip, normalize_decoder: true, multi_topk: false },
        },
        'sae.safetensors': {
          'encoder.weight': tensor(transposed(wEnc), F, D),
          'encoder.bias': tensor(bEnc, F),
          W_dec: tensor(wDec, F, D),
          b_dec: tensor(bDec, D),
          ...(skip && { W_skip: tensor(wSkip, D, D) }),
        },
      },
      f,
      xHat: skip
        ? plain.map((row, n) => row.map((v, c) => v + times([x[n]], transposed(wSkip))[0][c]))
        : plain,
    })
    assert.equal(sae.form.subtractDecoderBias, !transcode)
    assert.equal(sae.config.architecture, skip ? 'topk_skip_transcoder' : 'topk_transcoder')
  })

const saelensWeights = {
  W_enc: tensor(wEnc, D, F),
  b_enc: tensor(bEnc, F),
  W_dec: tensor(wDec, F, D),
  b_dec: tensor(bDec, D),
}
const centred = plus(
  x,
  bDec.map((v) => -v),
)

test('SAELens before v6: a flat configuration, topk by activation_fn_str, heads side by side by the name of the hook', async (t) => {
  const f = top(each(plus(times(centred, wEnc), bEnc), positive), 3)
  const sae = await check(t, {
    files: {
      'cfg.json': {
        d_in: D,
        d_sae: F,
        dtype: 'torch.float32',
        device: 'cuda',
        model_name: 'gpt2-small',
        hook_point: 'blocks.2.attn.hook_z',
        hook_point_layer: 2,
        hook_point_head_index: null,
        activation_fn_str: 'topk',
        activation_fn_kwargs: { k: 3 },
        normalize_activations: false,
        prepend_bos: true,
        context_size: 128,
      },
      'sae_weights.safetensors': saelensWeights,
    },
    f,
    xHat: plus(times(f, wDec), bDec),
  })
  assert.equal(sae.hookName, 'blocks.2.attn.hook_z')
  assert.equal(sae.conventions.reshapeActivations, 'hook_z')
  assert.equal(sae.conventions.modelName, 'gpt2-small')
  assert.equal(sae.config.metadata.context_size, 128)
})

for (const from of ['activation_scaler.json', 'the caller'] as const)
  test(`SAELens, expected_average_only_in: the factor of ${from} is folded, and features stay in scaled units`, async (t) => {
    const scaled = plus(
      each(x, (v) => s * v),
      bDec.map((v) => -v),
    )
    const f = each(plus(times(scaled, wEnc), bEnc), positive)
    const sae = await check(t, {
      files: {
        'cfg.json': v6({ normalize_activations: 'expected_average_only_in' }),
        'sae_weights.safetensors': saelensWeights,
        ...(from === 'activation_scaler.json' && { [from]: { scaling_factor: s } }),
      },
      f,
      xHat: each(plus(times(f, wDec), bDec), (v) => v / s),
      options: from === 'the caller' ? { activationScale: s } : {},
    })
    assert.equal(sae.conventions.activationScale, s)
    assert.equal(sae.conventions.featureUnits, 'scaled')
    assert.equal(sae.config.normalize_activations, 'none')
  })

test('SAELens: topk ranks tokens that are normed, and b_dec is taken off after that', async (t) => {
  const moments = x.map((row) => {
    const mean = row.reduce((a, b) => a + b) / D
    return { mean, std: Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (D - 1)) }
  })
  const normed = x.map((row, n) =>
    row.map((v, c) => (v - moments[n].mean) / (moments[n].std + 1e-5) - bDec[c]),
  )
  const f = top(each(plus(times(normed, wEnc), bEnc), positive), 2)
  await check(t, {
    files: {
      'cfg.json': v6({ architecture: 'topk', k: 2, normalize_activations: 'layer_norm' }),
      'sae_weights.safetensors': saelensWeights,
    },
    f,
    xHat: plus(times(f, wDec), bDec).map((row, n) => row.map((v) => v * moments[n].std + moments[n].mean)),
  })
})

test('SAELens: a finetuned factor of each feature goes into its decoder row', async (t) => {
  const factors = vector(F)
  const f = each(plus(times(centred, wEnc), bEnc), positive)
  await check(t, {
    files: {
      'cfg.json': v6({ finetuning_scaling_factor: true }),
      'sae_weights.safetensors': { ...saelensWeights, scaling_factor: tensor(factors, F) },
    },
    f,
    xHat: plus(
      times(
        each(f, (v, j) => v * factors[j]),
        wDec,
      ),
      bDec,
    ),
  })
})

/** A standard autoencoder's cfg.json. */
function v6(changes: object): object {
  return {
    architecture: 'standard',
    d_in: D,
    d_sae: F,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: true,
    normalize_activations: 'none',
    reshape_activations: 'none',
    metadata: { sae_lens_version: '6.18.0', hook_name: 'blocks.0.hook_resid_pre' },
    ...changes,
  }
}
