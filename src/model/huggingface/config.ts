import { z } from 'zod'
import { shown } from '../../errors/shown.js'
import { type TransformerConfig, type TransformerOptions, transformerConfig } from '../transformer-config.js'
import { parseFields, unsupported } from './fields.js'
import { readRotary } from './rotary.js'

/*
 * What the `config.json` of each family says, and what its configuration class in Hugging Face's transformers (5.18) takes for
 * granted where the file says nothing.
 */

/** Sizes of tensors. The bounds are far above every model, and keep a broken file from filling the memory. */
const size = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
/** Layers and heads. */
const count = z.int().min(1).max(4096)
const positive = z.number().positive()
const off = z.literal([false, null], { error: 'expected false: Monosem does not compute this variant' })

/** Names of activations in `config.json`, and ours. gelu_tanh goes by many names, for ways to compute it that differ in the last bits. */
const activations: Record<string, NonNullable<TransformerOptions['activation']>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_accurate: 'gelu_tanh',
  gelu_python_tanh: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
}

const activation = z.string().transform((name, context) => {
  if (Object.hasOwn(activations, name)) return activations[name]
  const known = Object.keys(activations).join(', ')
  context.addIssue({ code: 'custom', message: `expected one of ${known}` })
  return z.NEVER
})

// ---- GPT-2 ----

const gpt2Schema = z.object({
  vocab_size: size.default(50257),
  n_positions: size.default(1024),
  n_embd: size.default(768),
  n_layer: count.default(12),
  n_head: count.default(12),
  n_inner: size.nullable().default(null),
  activation_function: activation.default('gelu_tanh'),
  layer_norm_epsilon: positive.default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: off.default(false),
  add_cross_attention: off.default(false),
})

function gpt2Options(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(gpt2Schema, value, path)
  return {
    layers: fields.n_layer,
    dModel: fields.n_embd,
    heads: fields.n_head,
    dMlp: fields.n_inner ?? 4 * fields.n_embd,
    context: fields.n_positions,
    vocabularySize: fields.vocab_size,
    normEpsilon: fields.layer_norm_epsilon,
    activation: fields.activation_function,
    attentionScale: fields.scale_attn_weights ? undefined : 1,
    tiedEmbeddings: fields.tie_word_embeddings,
  }
}

// ---- GPT-NeoX ----

const gptNeoxSchema = z.object({
  vocab_size: size.default(50432),
  max_position_embeddings: size.default(2048),
  hidden_size: size.default(6144),
  num_hidden_layers: count.default(44),
  num_attention_heads: count.default(64),
  intermediate_size: size.default(24576),
  hidden_act: activation.default('gelu'),
  layer_norm_eps: positive.default(1e-5),
  tie_word_embeddings: z.boolean().default(false),
  use_parallel_residual: z.boolean().default(true),
  attention_bias: z.boolean().default(true),
  rotary_pct: positive.max(1).default(0.25),
  rotary_emb_base: positive.default(10_000),
})

function gptNeoxOptions(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(gptNeoxSchema, value, path)
  return {
    layers: fields.num_hidden_layers,
    dModel: fields.hidden_size,
    heads: fields.num_attention_heads,
    dMlp: fields.intermediate_size,
    context: fields.max_position_embeddings,
    vocabularySize: fields.vocab_size,
    normEpsilon: fields.layer_norm_eps,
    learnedPositions: false,
    rotary: readRotary(value, path, {
      headWidth: Math.floor(fields.hidden_size / fields.num_attention_heads),
      context: fields.max_position_embeddings,
      base: fields.rotary_emb_base,
      fraction: fields.rotary_pct,
    }),
    parallelResidual: fields.use_parallel_residual,
    activation: fields.hidden_act,
    queryKeyValueBias: fields.attention_bias,
    outputBias: fields.attention_bias,
    tiedEmbeddings: fields.tie_word_embeddings,
  }
}

// ---- Llama and those that grew out of it ----

const llamaSchema = z.object({
  vocab_size: size.default(32000),
  max_position_embeddings: size.default(2048),
  hidden_size: size.default(4096),
  num_hidden_layers: count.default(32),
  num_attention_heads: count.default(32),
  num_key_value_heads: count.nullable().default(null),
  head_dim: size.nullable().default(null),
  intermediate_size: size.default(11008),
  hidden_act: activation.default('silu'),
  rms_norm_eps: positive.default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  rope_theta: positive.default(10_000),
})

const mistralSchema = llamaSchema.extend({
  max_position_embeddings: size.default(131_072),
  num_key_value_heads: count.nullable().default(8),
  intermediate_size: size.default(14336),
  sliding_window: size.nullable().default(4096),
  layer_types: z.null({ error: 'expected none: in Mistral all layers have the same window' }).default(null),
})

const layerTypes = z
  .array(z.enum(['sliding_attention', 'full_attention']))
  .nullable()
  .default(null)

const qwenSchema = llamaSchema.extend({
  vocab_size: size.default(151_936),
  max_position_embeddings: size.default(32768),
  num_key_value_heads: count.nullable().default(32),
  intermediate_size: size.default(22016),
  use_sliding_window: z.boolean().default(false),
  sliding_window: size.nullable().default(4096),
  max_window_layers: z.int().min(0).default(28),
  layer_types: layerTypes,
})

const qwen3Schema = qwenSchema.extend({ head_dim: size.default(128) })

const gemma2Schema = llamaSchema.omit({ hidden_act: true }).extend({
  vocab_size: size.default(256_000),
  max_position_embeddings: size.default(8192),
  hidden_size: size.default(2304),
  num_hidden_layers: count.default(26),
  num_attention_heads: count.default(8),
  num_key_value_heads: count.default(4),
  head_dim: size.default(256),
  intermediate_size: size.default(9216),
  hidden_activation: activation.default('gelu_tanh'),
  tie_word_embeddings: z.boolean().default(true),
  query_pre_attn_scalar: positive.default(256),
  attn_logit_softcapping: positive.nullable().default(50),
  final_logit_softcapping: positive.nullable().default(30),
  sliding_window: size.nullable().default(4096),
  layer_types: layerTypes,
  use_bidirectional_attention: off.default(false),
})

/** What is alike in all of them. */
function llamaBase(
  value: Fields,
  path: string,
  fields: Omit<z.output<typeof llamaSchema>, 'hidden_act'>,
): TransformerOptions {
  const headWidth = fields.head_dim ?? Math.floor(fields.hidden_size / fields.num_attention_heads)
  return {
    layers: fields.num_hidden_layers,
    dModel: fields.hidden_size,
    heads: fields.num_attention_heads,
    headWidth: fields.head_dim ?? undefined,
    keyValueHeads: fields.num_key_value_heads ?? undefined,
    dMlp: fields.intermediate_size,
    context: fields.max_position_embeddings,
    vocabularySize: fields.vocab_size,
    norm: 'rms',
    normEpsilon: fields.rms_norm_eps,
    learnedPositions: false,
    rotary: readRotary(value, path, {
      headWidth,
      context: fields.max_position_embeddings,
      base: fields.rope_theta,
    }),
    gatedMlp: true,
    queryKeyValueBias: fields.attention_bias,
    outputBias: fields.attention_bias,
    mlpBias: false,
    tiedEmbeddings: fields.tie_word_embeddings,
  }
}

function llamaOptions(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(llamaSchema.extend({ mlp_bias: z.boolean().default(false) }), value, path)
  return { ...llamaBase(value, path, fields), activation: fields.hidden_act, mlpBias: fields.mlp_bias }
}

function mistralOptions(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(mistralSchema, value, path)
  const window = fields.sliding_window
  return {
    ...llamaBase(value, path, { ...fields, attention_bias: false }),
    activation: fields.hidden_act,
    windows: window === null ? [] : Array<number>(fields.num_hidden_layers).fill(window),
  }
}

function qwen2Options(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(qwenSchema, value, path)
  return {
    ...llamaBase(value, path, fields),
    activation: fields.hidden_act,
    queryKeyValueBias: true,
    outputBias: false,
    windows: qwenWindows(fields, path),
  }
}

function qwen3Options(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(qwen3Schema, value, path)
  return {
    ...llamaBase(value, path, fields),
    activation: fields.hidden_act,
    queryKeyNorms: true,
    windows: qwenWindows(fields, path),
  }
}

function gemma2Options(value: Fields, path: string): TransformerOptions {
  const fields = parseFields(gemma2Schema, value, path)
  const layers = fields.num_hidden_layers
  const types = fields.layer_types ?? alternating(layers)
  return {
    ...llamaBase(value, path, fields),
    activation: fields.hidden_activation,
    postNorms: true,
    attentionScale: 1 / Math.sqrt(fields.query_pre_attn_scalar),
    attentionSoftCap: fields.attn_logit_softcapping,
    logitSoftCap: fields.final_logit_softcapping,
    embeddingScale: Math.sqrt(fields.hidden_size),
    windows: windowsOf(types, fields.sliding_window, layers, path),
  }
}

// ---- sliding windows ----

type LayerTypes = NonNullable<z.output<typeof layerTypes>>

const alternating = (layers: number): LayerTypes =>
  Array.from({ length: layers }, (_, layer) => (layer % 2 === 0 ? 'sliding_attention' : 'full_attention'))

function qwenWindows(fields: z.output<typeof qwenSchema>, path: string): (number | null)[] {
  const { num_hidden_layers: layers, max_window_layers: full } = fields
  const window = fields.use_sliding_window ? fields.sliding_window : null
  const types = Array.from({ length: layers }, (_, layer) =>
    window !== null && layer >= full ? 'sliding_attention' : 'full_attention',
  )
  return windowsOf(fields.layer_types ?? types, window, layers, path)
}

function windowsOf(
  types: LayerTypes,
  window: number | null,
  layers: number,
  path: string,
): (number | null)[] {
  if (types.length !== layers)
    throw unsupported(path, `layer_types: expected ${layers} layers, got ${types.length}`)
  if (!types.includes('sliding_attention')) return []
  if (window === null)
    throw unsupported(path, 'layer_types: expected sliding_window for the layers of sliding_attention')
  return types.map((type) => (type === 'sliding_attention' ? window : null))
}

// ---- all families ----

type Fields = Record<string, unknown>

const families = {
  gpt2: gpt2Options,
  gpt_neox: gptNeoxOptions,
  llama: llamaOptions,
  mistral: mistralOptions,
  qwen2: qwen2Options,
  qwen3: qwen3Options,
  gemma2: gemma2Options,
}

/** The Hugging Face `model_type`s that can be loaded. */
type HuggingFaceFamily = keyof typeof families

const isHuggingFaceFamily = (name: unknown): name is HuggingFaceFamily =>
  typeof name === 'string' && Object.hasOwn(families, name)

/**
 * The transformer that a `config.json` describes, in the older dialect (`rope_theta`, `rope_scaling`, `rotary_pct`) or the newer
 * (`rope_parameters`). What the file leaves out is what transformers' configuration class takes for granted. Keys that do not change
 * what is computed are ignored; those that would change it in a way that Monosem does not compute are refused.
 * @param value the parsed JSON
 * @param path of the file, for messages
 * @throws MonosemError format (no such configuration, or a family or variant that is not computed), config (sizes that do not fit)
 */
export function readHuggingFaceConfig(value: unknown, path: string): TransformerConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unsupported(path, 'expected a JSON object')
  const fields = value as Fields
  const { model_type: family, quantization_config: quantization } = fields
  if (!isHuggingFaceFamily(family))
    throw unsupported(
      path,
      `model_type: expected one of ${Object.keys(families).join(', ')}, got ${shown(family)}`,
    )
  if (quantization !== undefined && quantization !== null)
    throw unsupported(path, 'quantization_config: expected none, quantised weights are not read')
  return transformerConfig({ family, ...families[family](fields, path) }, path)
}
