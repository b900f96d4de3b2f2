import { MonosemError } from '../errors/monosem-error.js'
import { elementCount } from '../formats/element-count.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { Random } from '../random/random.js'
import { type TransformerConfig, type TransformerOptions, transformerConfig } from './transformer-config.js'

/*
 * Shapes: D = dModel, M = dMlp, V vocabulary, H query heads, G heads of keys and values, W head width. Names are TransformerLens's
 * (https://github.com/TransformerLensOrg/TransformerLens); matrices are [inputs, outputs], with the heads side by side.
 */

/** A model: what computes it, its configuration, and its parameters by TransformerLens name. */
export interface Transformer {
  kernels: Kernels
  config: TransformerConfig
  /** matrices f32 or bf16, the others f32 */
  params: Record<string, Tensor>
  /** what autoencoders trained on it call it: its name on the hub where it has one. Default: the family */
  name?: string
}

/** Shape of a parameter and the standard deviation it starts with (0: zeros, 'ones': ones). */
export interface ParameterSpec {
  shape: number[]
  init: number | 'ones'
}

/**
 * Every parameter in a fixed order; one is there exactly where the configuration has it. Initialised as GPT-2: normal with
 * standard deviation 0.02, what writes into the residual stream scaled by 1/sqrt(2 * layers), biases zero.
 */
export function parameterSpecs(config: TransformerConfig): Record<string, ParameterSpec> {
  const { layers, dModel: D, dMlp: M, vocabularySize: V, headWidth: W } = config
  const [queries, keys] = [config.heads * W, config.keyValueHeads * W]
  const weight = 0.02
  const output = weight / Math.sqrt(2 * layers)
  const specs: Record<string, ParameterSpec> = {}
  const matrix = (name: string, rows: number, columns: number, init = weight) => {
    specs[name] = { shape: [rows, columns], init }
  }
  const bias = (name: string, there: boolean, width: number) => {
    if (there) specs[name] = { shape: [width], init: 0 }
  }
  const norm = (name: string, there = true, width = D, kind = config.norm) => {
    if (!there) return
    specs[`${name}.w`] = { shape: [width], init: 'ones' }
    bias(`${name}.b`, kind === 'layer', width)
  }
  matrix('embed.W_E', V, D)
  if (config.learnedPositions) matrix('pos_embed.W_pos', config.context, D)
  for (let layer = 0; layer < layers; layer++) {
    const [block, attn, mlp] = [`blocks.${layer}`, `blocks.${layer}.attn`, `blocks.${layer}.mlp`]
    norm(`${block}.ln1`)
    for (const [head, width] of [['Q', queries] as const, ['K', keys] as const, ['V', keys] as const]) {
      matrix(`${attn}.W_${head}`, D, width)
      bias(`${attn}.b_${head}`, config.queryKeyValueBias, width)
    }
    norm(`${attn}.q_norm`, config.queryKeyNorms, W, 'rms')
    norm(`${attn}.k_norm`, config.queryKeyNorms, W, 'rms')
    matrix(`${attn}.W_O`, queries, D, output)
    bias(`${attn}.b_O`, config.outputBias, D)
    norm(`${block}.ln1_post`, config.postNorms)
    norm(`${block}.ln2`)
    if (config.gatedMlp) matrix(`${mlp}.W_gate`, D, M)
    bias(`${mlp}.b_gate`, config.gatedMlp && config.mlpBias, M)
    matrix(`${mlp}.W_in`, D, M)
    bias(`${mlp}.b_in`, config.mlpBias, M)
    matrix(`${mlp}.W_out`, M, D, output)
    bias(`${mlp}.b_out`, config.mlpBias, D)
    norm(`${block}.ln2_post`, config.postNorms)
  }
  norm('ln_final')
  if (!config.tiedEmbeddings) matrix('unembed.W_U', D, V)
  return specs
}

/** Number of trainable numbers. */
export function parameterCount(config: TransformerConfig): number {
  return Object.values(parameterSpecs(config)).reduce((sum, { shape }) => sum + elementCount(shape), 0)
}

/**
 * A freshly initialised model. Each parameter has its own random stream, so the same seed gives the same
 * numbers.
 * @throws MonosemError config
 */
export function createTransformer(kernels: Kernels, options: TransformerOptions, seed: number): Transformer {
  const config = transformerConfig(options)
  const params: Record<string, Tensor> = {}
  for (const [name, { shape, init }] of Object.entries(parameterSpecs(config))) {
    const data = new Float32Array(elementCount(shape))
    fillInitial(data, init, Random.named(seed, `parameter ${name}`))
    params[name] = kernels.tensor(data, shape)
  }
  return { kernels, config, params }
}

/** Overwrites the values of a parameter by those that it starts with. */
export function fillInitial(values: Float32Array, init: ParameterSpec['init'], random: Random): void {
  if (init === 'ones') values.fill(1)
  else if (init === 0) values.fill(0)
  else for (let i = 0; i < values.length; i++) values[i] = init * random.normal()
}

/**
 * The same model for sequences of at most `context` tokens: models of today see up to 131,072, and analyses work in windows of the whole
 * context. Shares the parameters, so only one of the two is freed.
 * @throws MonosemError config (longer than the model's context)
 */
export function withContext(model: Transformer, context: number): Transformer {
  const { kernels, config, params } = model
  if (!(Number.isInteger(context) && context >= 1 && context <= config.context))
    throw new MonosemError('config', `expected a context of 1 to ${config.context} tokens, got ${context}`)
  const positions = params['pos_embed.W_pos']
  return {
    kernels,
    config: { ...config, context },
    params: positions ? { ...params, 'pos_embed.W_pos': kernels.rows(positions, 0, context) } : params,
  }
}

/** Gives the parameters' memory back; using the model later is an error. */
export function freeTransformer({ kernels, params }: Transformer): void {
  for (const p of Object.values(params)) kernels.free(p)
}

/** One zero tensor per parameter, f32: gradients, or Adam's moments. */
export function zerosLikeParameters({ kernels, params }: Transformer): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(params).map(([name, p]) => [name, kernels.zeros(p.shape)]))
}
