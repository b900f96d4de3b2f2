import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { readHuggingFaceConfig } from '../../../src/model/huggingface/config.js'

const root = 'test/golden/hf'

const read = (value: unknown) => readHuggingFaceConfig(value, 'some/config.json')

const fixture = async (family: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(`${root}/${family}/config.json`, 'utf8'))

const refuses = (value: unknown, message: RegExp, code = 'format') =>
  assert.throws(() => read(value), { name: 'MonosemError', code, message })

test('gpt2: learned positions, tied head, neurons four times the width', async () => {
  const value = await fixture('gpt2')
  const { family, layers, dModel, heads, dMlp, context, vocabularySize, ...config } = read(value)
  assert.deepEqual(
    { family, layers, dModel, heads, dMlp, context, vocabularySize },
    { family: 'gpt2', layers: 3, dModel: 48, heads: 4, dMlp: 192, context: 64, vocabularySize: 384 },
  )
  assert.deepEqual(
    [config.learnedPositions, config.rotary, config.tiedEmbeddings, config.activation, config.norm],
    [true, null, true, 'gelu_tanh', 'layer'],
  )
  assert.deepEqual([config.headWidth, config.attentionScale], [12, 1 / Math.sqrt(12)])
  assert.equal(read({ ...value, n_inner: 100 }).dMlp, 100)
  assert.equal(read({ ...value, scale_attn_weights: false }).attentionScale, 1)
  assert.equal(read({ ...value, tie_word_embeddings: false }).tiedEmbeddings, false)
})

test('gpt_neox: part of each head turns; residual in parallel or not; biases by a flag', async () => {
  const value = await fixture('gpt-neox')
  const config = read(value)
  assert.deepEqual(
    [config.learnedPositions, config.parallelResidual, config.tiedEmbeddings, config.activation],
    [false, true, false, 'gelu'],
  )
  assert.deepEqual([config.queryKeyValueBias, config.outputBias, config.mlpBias], [true, true, true])
  const half = read({ ...value, rotary_pct: 0.5, rotary_emb_base: 500, use_parallel_residual: false })
  assert.deepEqual(half.rotary, { dimensions: 6, base: 500, scaling: null })
  assert.equal(half.parallelResidual, false)
  const without = read({ ...value, attention_bias: false })
  assert.deepEqual([without.queryKeyValueBias, without.outputBias, without.mlpBias], [false, false, true])
})

test('an odd number of rotary dimensions keeps the angles of transformers', async () => {
  const { rotary } = read(await fixture('gpt-neox'))
  assert.equal(rotary?.dimensions, 4)
  const step = (pair: number) => rotary!.base ** ((-2 * pair) / 4)
  assert.equal(step(0), 1)
  assert.ok(Math.abs(step(1) - 10_000 ** (-2 / 3)) < 1e-15)
})

test('llama: grouped heads, gated MLP without biases, RMSNorm', async () => {
  const value = await fixture('llama')
  const config = read(value)
  assert.deepEqual(
    [config.keyValueHeads, config.gatedMlp, config.norm, config.normEpsilon, config.activation],
    [2, true, 'rms', 1e-6, 'silu'],
  )
  assert.deepEqual([config.queryKeyValueBias, config.outputBias, config.mlpBias], [false, false, false])
  assert.deepEqual(config.rotary, { dimensions: 12, base: 10_000, scaling: null })
  assert.deepEqual(config.windows, [])
  const biased = read({ ...value, attention_bias: true, mlp_bias: true, num_key_value_heads: null })
  assert.deepEqual([biased.queryKeyValueBias, biased.outputBias, biased.mlpBias], [true, true, true])
  assert.equal(biased.keyValueHeads, 4)
})

test('gemma2: soft caps, alternating windows, post norms, scaled embeddings, heads of their own width', async () => {
  const value = await fixture('gemma2')
  const config = read(value)
  assert.deepEqual([config.attentionSoftCap, config.logitSoftCap], [50, 30])
  assert.deepEqual(config.windows, [8, null, 8, null])
  assert.deepEqual(
    [config.headWidth, config.attentionScale, config.embeddingScale],
    [16, 1 / Math.sqrt(24), Math.sqrt(48)],
  )
  assert.deepEqual(
    [config.postNorms, config.activation, config.tiedEmbeddings, config.gatedMlp],
    [true, 'gelu_tanh', true, true],
  )
  assert.deepEqual(read({ ...value, layer_types: undefined }).windows, [8, null, 8, null])
  const types = ['full_attention', 'full_attention', 'full_attention', 'sliding_attention']
  assert.deepEqual(read({ ...value, layer_types: types }).windows, [null, null, null, 8])
  assert.equal(read({ ...value, final_logit_softcapping: null }).logitSoftCap, null)
})

test('mistral: one window for all layers, or none', async () => {
  const value = { ...(await fixture('llama')), model_type: 'mistral', sliding_window: 7 }
  assert.deepEqual(read(value).windows, [7, 7, 7])
  assert.deepEqual(read({ ...value, sliding_window: null }).windows, [])
  assert.deepEqual(read({ ...value, sliding_window: undefined }).windows, [4096, 4096, 4096])
  refuses({ ...value, layer_types: ['full_attention'] }, /layer_types/)
})

test('qwen2: biases of queries, keys and values; windows only when they are switched on, from max_window_layers', async () => {
  const value = { ...(await fixture('llama')), model_type: 'qwen2', sliding_window: 5, max_window_layers: 1 }
  const config = read(value)
  assert.deepEqual([config.queryKeyValueBias, config.outputBias, config.mlpBias], [true, false, false])
  assert.deepEqual(config.windows, [])
  assert.deepEqual(read({ ...value, use_sliding_window: true }).windows, [null, 5, 5])
  const types = ['sliding_attention', 'full_attention', 'full_attention']
  const windows = { ...value, use_sliding_window: true, layer_types: types }
  assert.deepEqual(read(windows).windows, [5, null, null])
  refuses({ ...windows, use_sliding_window: false }, /expected sliding_window/)
  refuses({ ...windows, layer_types: ['full_attention'] }, /expected 3 layers, got 1/)
  refuses({ ...windows, layer_types: ['chunked_attention'] }, /layer_types\.0/)
})

test('qwen3: norms of queries and keys, heads of 128 unless it says otherwise', async () => {
  const { head_dim, ...value } = { ...(await fixture('llama')), model_type: 'qwen3' } as Record<
    string,
    unknown
  >
  assert.deepEqual([read(value).queryKeyNorms, read(value).headWidth], [true, 128])
  assert.equal(read({ ...value, head_dim: 12 }).headWidth, 12)
  assert.equal(read({ ...value, attention_bias: true }).outputBias, true)
})

test('what a configuration leaves out is what its class in transformers takes for granted', () => {
  const sizes = (family: string) => {
    const config = read({ model_type: family })
    const { layers, dModel, heads, keyValueHeads, headWidth, dMlp, context, vocabularySize } = config
    return [
      layers,
      dModel,
      heads,
      keyValueHeads,
      headWidth,
      dMlp,
      context,
      vocabularySize,
      config.tiedEmbeddings,
    ]
  }
  assert.deepEqual(sizes('gpt2'), [12, 768, 12, 12, 64, 3072, 1024, 50257, true])
  assert.deepEqual(sizes('gpt_neox'), [44, 6144, 64, 64, 96, 24576, 2048, 50432, false])
  assert.deepEqual(sizes('llama'), [32, 4096, 32, 32, 128, 11008, 2048, 32000, false])
  assert.deepEqual(sizes('mistral'), [32, 4096, 32, 8, 128, 14336, 131072, 32000, false])
  assert.deepEqual(sizes('qwen2'), [32, 4096, 32, 32, 128, 22016, 32768, 151936, false])
  assert.deepEqual(sizes('qwen3'), [32, 4096, 32, 32, 128, 22016, 32768, 151936, false])
  assert.deepEqual(sizes('gemma2'), [26, 2304, 8, 4, 256, 9216, 8192, 256000, true])
  assert.equal(read({ model_type: 'gpt_neox' }).rotary?.dimensions, 24)
})

test('both dialects of rotary positions say the same', async () => {
  const { rope_theta, rope_scaling, rotary_pct, rotary_emb_base, ...llama } = await fixture('llama')
  const rotary = (value: Record<string, unknown>) => read({ ...llama, ...value }).rotary
  const plain = { dimensions: 12, base: 5e5, scaling: null }
  assert.deepEqual(rotary({ rope_theta: 5e5 }), plain)
  assert.deepEqual(rotary({ rope_parameters: { rope_theta: 5e5, rope_type: 'default' } }), plain)
  const linear = { ...plain, scaling: { kind: 'linear', factor: 4 } }
  assert.deepEqual(rotary({ rope_theta: 5e5, rope_scaling: { type: 'linear', factor: 4 } }), linear)
  assert.deepEqual(rotary({ rope_parameters: { rope_theta: 5e5, rope_type: 'linear', factor: 4 } }), linear)
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 }
  const scaling = { kind: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4 }
  const original = { original_max_position_embeddings: 32 }
  for (const value of [
    { rope_theta: 5e5, rope_scaling: { ...llama3, ...original } },
    { rope_parameters: { rope_theta: 5e5, ...llama3, ...original } },
    { rope_parameters: { rope_theta: 5e5, ...llama3 }, ...original },
  ])
    assert.deepEqual(rotary(value), { ...plain, scaling: { ...scaling, originalContext: 32 } })
  const unsaid = rotary({ rope_scaling: llama3 })
  assert.deepEqual(unsaid?.scaling, { ...scaling, originalContext: 64 }, 'the context is the default')
  const neox = await fixture('gpt-neox')
  const { rotary_pct: _, rotary_emb_base: __, ...newer } = neox
  const parameters = { rope_theta: 700, partial_rotary_factor: 0.5, rope_type: 'default' }
  assert.deepEqual(
    read({ ...newer, rope_parameters: parameters }).rotary,
    read({ ...neox, rotary_pct: 0.5, rotary_emb_base: 700 }).rotary,
  )
})

test('rotations that are not computed are refused by name', async () => {
  const llama = await fixture('llama')
  for (const type of ['yarn', 'dynamic', 'longrope', 'proportional'])
    refuses(
      { ...llama, rope_scaling: { type, factor: 2 } },
      new RegExp(`config\\.json: rope_scaling: rope_type: expected default, linear or llama3, got "${type}"`),
    )
  refuses({ ...llama, rope_scaling: { type: 'linear' } }, /rope_scaling: factor: .*got nothing/)
  refuses({ ...llama, rope_scaling: 'linear' }, /rope_scaling: expected an object, got "linear"/)
  const upsideDown = { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 4 }
  refuses(
    { ...llama, rope_scaling: upsideDown },
    /high_freq_factor: expected more than low_freq_factor 4, got 4/,
  )
  refuses({ ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor: expected 1/)
  refuses({ ...llama, rope_parameters: { full_attention: { rope_theta: 1 } } }, /one for full_attention/)
})

test('variants that are not computed are refused by name', async () => {
  const [gpt2, gemma2] = [await fixture('gpt2'), await fixture('gemma2')]
  refuses(
    { ...gpt2, scale_attn_by_inverse_layer_idx: true },
    /scale_attn_by_inverse_layer_idx: expected false/,
  )
  refuses({ ...gpt2, add_cross_attention: true }, /add_cross_attention/)
  refuses({ ...gpt2, activation_function: 'quick_gelu' }, /activation_function: .*gelu_new.*got "quick_gelu"/)
  refuses({ ...gemma2, use_bidirectional_attention: true }, /use_bidirectional_attention/)
  refuses({ ...gpt2, quantization_config: { bits: 4 } }, /quantization_config/)
})

test('a configuration that makes no sense names its file, field and value', async () => {
  const llama = await fixture('llama')
  refuses({ ...llama, hidden_size: 0 }, /^some\/config\.json: hidden_size: expected .*, got 0$/)
  refuses({ ...llama, num_hidden_layers: '3' }, /num_hidden_layers: expected .*, got "3"/)
  refuses({ ...llama, num_key_value_heads: 3 }, /keyValueHeads to divide heads 4, got 3/, 'config')
  refuses({ ...llama, model_type: 'mamba' }, /model_type: expected one of gpt2, gpt_neox, llama.*got "mamba"/)
  refuses({}, /model_type: expected one of .*got nothing/)
  for (const value of [null, [], 'text', 3]) refuses(value, /expected a JSON object/)
})

test('the golden checkpoints say the same in both dialects', async () => {
  const names = readdirSync(root).filter((name) => existsSync(`${root}/${name}/config.older.json`))
  assert.ok(names.length > 5)
  for (const name of names) {
    const older = JSON.parse(await readFile(`${root}/${name}/config.older.json`, 'utf8'))
    assert.ok(!('rope_parameters' in older) && 'torch_dtype' in older)
    assert.deepEqual(read(older), read(await fixture(name)), name)
  }
})
