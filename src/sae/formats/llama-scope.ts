import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import { foldDecoderNorms, foldInputScale } from '../fold.js'
import type { SaeArrays } from '../sae-params.js'
import type { Detected } from './detect.js'
import { checkConfig, requireOneOf } from './read-json.js'
import type { SaeFile } from './sae-file.js'
import { saeFileOf } from './sae-file-of.js'
import { createWeightReader, type WeightReader } from './weight-reader.js'

/*
 * OpenMOSS's Llama Scope (He et al. 2024, https://github.com/OpenMOSS/Language-Model-SAEs). Activations are multiplied by s = sqrt(D) / mean ||x||
 * (`norm_activation: dataset-wise`), targets by t, and
 *
 *   z = (s x) W_E + b_E;  f = z where z ||W_D row|| > threshold (`sparsity_include_decoder_norm`);  t y_hat = f W_D + b_D
 *
 * The decoder's norms are moved into the encoder, s and t into the weights, so f comes as z ||W_D row|| in scaled units. There are three generations of
 * files: hyperparams.json with checkpoints/final.safetensors and one threshold, which is in raw units (it was set after s was folded), so it is
 * multiplied by s here; config.json with `encoder.weight` and `log_jumprelu_threshold`; config.json with `W_E` and
 * `activation_function.log_jumprelu_threshold`, and the mean norms as tensors.
 */

const norms = z.record(z.string(), z.number().positive())

const configSchema = z.looseObject({
  d_model: z.int().positive(),
  d_sae: z.int().positive().optional(),
  expansion_factor: z.number().positive().optional(),
  act_fn: z.string(),
  top_k: z.int().positive().optional(),
  norm_activation: z.string().default('dataset-wise'),
  sparsity_include_decoder_norm: z.boolean().default(true),
  use_decoder_bias: z.boolean().default(true),
  apply_decoder_bias_to_pre_encoder: z.boolean().default(false),
  use_glu_encoder: z.boolean().default(false),
  /** one for all features, in raw units */
  jump_relu_threshold: z.number().min(0).optional(),
  hook_point_in: z.string().optional(),
  hook_point_out: z.string().optional(),
  dataset_average_activation_norm: norms.nullish(),
  model_name: z.string().optional(),
})
type Config = z.infer<typeof configSchema>

/** @throws MonosemError format, corrupt, io */
export async function readLlamaScope({ weights: file, config: found }: Detected): Promise<SaeFile> {
  const path = found?.path ?? file.path
  const config = checkConfig(configSchema, found?.content, path, 'a configuration of OpenMOSS')
  requireOneOf(path, 'norm_activation', config.norm_activation, ['dataset-wise', 'inference', 'none'])
  requireOneOf(path, 'act_fn', config.act_fn.toLowerCase(), ['relu', 'jumprelu', 'topk'])
  for (const key of ['use_glu_encoder', 'apply_decoder_bias_to_pre_encoder'] as const)
    requireOneOf(path, key, config[key], [false])
  const weights = createWeightReader(file, 'an autoencoder of OpenMOSS')
  const arrays = await readArrays(weights, config, path)
  const s = await scaleOf(weights, config, 'in', path)
  const t = await scaleOf(weights, config, 'out', path)
  const threshold = await readThreshold(weights, config, arrays.bEnc.length, s)
  if (threshold) arrays.threshold = threshold
  weights.finish(
    [...file.entries.keys()].filter((name) => name.startsWith('dataset_average_activation_norm')),
  )
  const byNorm = config.sparsity_include_decoder_norm
  if (byNorm) foldDecoderNorms({ ...arrays, threshold: undefined })
  foldInputScale(arrays, s, t)
  const topk = config.act_fn.toLowerCase() === 'topk' && !threshold
  if (topk && config.top_k === undefined) throw new MonosemError('format', `${path}: topk needs top_k`)
  const transcoder = config.hook_point_out !== undefined && config.hook_point_out !== config.hook_point_in
  return saeFileOf({
    arrays,
    weights,
    format: 'llama-scope',
    architecture: config.act_fn,
    activation: topk
      ? { kind: 'topk', k: config.top_k as number }
      : { kind: threshold ? 'jumprelu' : 'relu' },
    subtractDecoderBias: false,
    transcoder,
    activationScale: s,
    targetScale: t,
    ...(threshold && {
      thresholdSpace: byNorm ? 'pre-activation times decoder norm' : 'pre-activation',
    }),
    decoderNorms: byNorm ? 'folded' : 'as stored',
    hookName: config.hook_point_in ?? null,
    targetHookName: config.hook_point_out ?? config.hook_point_in ?? null,
    modelName: config.model_name ?? null,
  })
}

async function readArrays(weights: WeightReader, config: Config, path: string): Promise<SaeArrays> {
  const d = config.d_model
  const linear = weights.has('encoder.weight')
  const features = linear ? weights.shape('encoder.weight', 2)[0] : weights.shape('W_E', 2)[1]
  const announced =
    config.d_sae ?? (config.expansion_factor === undefined ? features : d * config.expansion_factor)
  if (Math.round(announced) !== features)
    throw new MonosemError(
      'format',
      `${path}: expected ${announced} features, got ${features} in ${weights.path}`,
      {
        hint: 'the configuration and the weights do not belong together',
      },
    )
  const noBias = new Float32Array(d)
  if (linear)
    return {
      wEnc: await weights.take('encoder.weight', [features, d]),
      bEnc: await weights.take('encoder.bias', [features]),
      wDec: await weights.takeTransposed('decoder.weight', [d, features]),
      bDec: config.use_decoder_bias ? await weights.take('decoder.bias', [d]) : noBias,
    }
  return {
    wEnc: await weights.takeTransposed('W_E', [d, features]),
    bEnc: await weights.take('b_E', [features]),
    wDec: await weights.take('W_D', [features, d]),
    bDec: config.use_decoder_bias ? await weights.take('b_D', [d]) : noBias,
  }
}

/** s or t: sqrt(D) over the mean norm of the dataset; 1 where weights read raw activations. */
async function scaleOf(
  weights: WeightReader,
  config: Config,
  side: 'in' | 'out',
  path: string,
): Promise<number> {
  if (config.norm_activation !== 'dataset-wise') return 1
  const hook = side === 'in' ? config.hook_point_in : (config.hook_point_out ?? config.hook_point_in)
  const tensor = `dataset_average_activation_norm.${hook}`
  const known = config.dataset_average_activation_norm
  const norm = weights.has(tensor) ? await weights.scalar(tensor) : (known?.[side] ?? known?.[hook ?? ''])
  if (norm !== undefined && norm > 0) return Math.sqrt(config.d_model) / norm
  throw new MonosemError(
    'format',
    `${path}: norm_activation is dataset-wise, and the mean norm of ${hook} is neither there nor in ${weights.path}`,
  )
}

/** [F] on scaled pre-activations times decoder norms; null where there is none. */
async function readThreshold(
  weights: WeightReader,
  config: Config,
  features: number,
  s: number,
): Promise<Float32Array | null> {
  for (const name of ['activation_function.log_jumprelu_threshold', 'log_jumprelu_threshold'])
    if (weights.has(name)) return (await weights.take(name, [features])).map(Math.exp)
  const { jump_relu_threshold: one = 0 } = config
  // TopK autoencoders were published with the threshold that took its place
  if (config.act_fn.toLowerCase() === 'relu' || one === 0) return null
  return new Float32Array(features).fill(one * s)
}
