import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import type { Detected } from './detect.js'
import { checkConfig } from './read-json.js'
import type { SaeFile } from './sae-file.js'
import { saeFileOf } from './sae-file-of.js'
import { createWeightReader } from './weight-reader.js'

/*
 * Gemma Scope (Lieberum et al. 2024) and Gemma Scope 2:
 *
 *   f = z where z > threshold, z = x W_enc + b_enc;  y_hat = f W_dec + b_dec (+ x affine_skip_connection)
 *
 * b_dec is never subtracted, activations are raw. The first are npz archives without a configuration: what they read is known from their
 * place in the repository alone. The second are safetensors with config.json; transcoders are among them.
 */

/** @throws MonosemError format, corrupt, io */
export async function readGemmaScope({ weights: file }: Detected, source: string): Promise<SaeFile> {
  const weights = createWeightReader(file, 'an autoencoder of Gemma Scope')
  const [d, features] = weights.shape('W_enc', 2)
  const [, dOut] = weights.shape('W_dec', 2)
  const arrays = {
    wEnc: await weights.takeTransposed('W_enc', [d, features]),
    bEnc: await weights.take('b_enc', [features]),
    wDec: await weights.take('W_dec', [features, dOut]),
    bDec: await weights.take('b_dec', [dOut]),
    threshold: (await weights.take('threshold', [features])).map((theta) => Math.max(0, theta)),
  }
  weights.finish()
  const place = placeOf(source)
  return saeFileOf({
    arrays,
    weights,
    format: 'gemma-scope',
    architecture: place.transcoder ? 'jumprelu transcoder' : 'jumprelu',
    activation: { kind: 'jumprelu' },
    subtractDecoderBias: false,
    ...place,
    metadata: { prepend_bos: true, context_size: 1024 },
  })
}

interface Place {
  hookName: string | null
  targetHookName?: string
  modelName: string | null
  transcoder?: boolean
  warnings?: string[]
}

/** What the name of the repository and the folder say: google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71. */
function placeOf(source: string): Place {
  const [, size, tuned, kind] = /gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)/.exec(source) ?? []
  const modelName = size === undefined ? null : `google/gemma-2-${size}${tuned === 'it' ? '-it' : ''}`
  const layer = /layer_(\d+)/.exec(source)?.[1]
  if (layer === undefined || kind === undefined)
    return { hookName: null, modelName, ...(kind === 'transcoders' && { transcoder: true }) }
  const block = `blocks.${layer}`
  if (kind === 'transcoders')
    return { hookName: null, targetHookName: `${block}.hook_mlp_out`, modelName, transcoder: true }
  const point = { res: 'hook_resid_post', mlp: 'hook_mlp_out', att: 'attn.hook_z' }[kind]
  return { hookName: `${block}.${point}`, modelName }
}

const configSchema = z.looseObject({
  architecture: z.string().optional(),
  width: z.int().positive().optional(),
  model_name: z.string().optional(),
  type: z.string().optional(),
  hf_hook_point_in: z.string().optional(),
  hf_hook_point_out: z.string().optional(),
  apply_b_dec_to_input: z.boolean().optional(),
})

/** @throws MonosemError format, corrupt, io */
export async function readGemmaScope2({ weights: file, config: found }: Detected): Promise<SaeFile> {
  const path = found?.path ?? file.path
  const config = checkConfig(configSchema, found?.content ?? {}, path, 'a configuration of Gemma Scope 2')
  const weights = createWeightReader(file, 'an autoencoder of Gemma Scope 2')
  if ((file.entries.get('w_enc')?.shape.length ?? 0) !== 2 || /crosscoder|clt/.test(config.type ?? ''))
    throw new MonosemError(
      'format',
      `${file.path}: expected one hook point, got a ${config.type ?? 'crosscoder'}`,
      {
        hint: 'Monosem reads its autoencoders and transcoders of one layer',
      },
    )
  if (config.architecture !== undefined && !/^jump_?relu$/i.test(config.architecture))
    throw new MonosemError('format', `${path}: architecture is ${config.architecture}, expected jump_relu`)
  const [d, features] = weights.shape('w_enc', 2)
  const [, dOut] = weights.shape('w_dec', 2)
  const skip = weights.has('affine_skip_connection')
  const { hf_hook_point_in: input, hf_hook_point_out: output = input } = config
  const transcoder = skip || d !== dOut || config.type === 'transcoder' || output !== input
  const arrays = {
    wEnc: await weights.takeTransposed('w_enc', [d, features]),
    bEnc: await weights.take('b_enc', [features]),
    wDec: await weights.take('w_dec', [features, dOut]),
    bDec: await weights.take('b_dec', [dOut]),
    threshold: (await weights.take('threshold', [features])).map((theta) => Math.max(0, theta)),
    ...(skip && { wSkip: await weights.take('affine_skip_connection', [d, dOut]) }),
  }
  weights.finish()
  if (config.width !== undefined && config.width !== features)
    throw new MonosemError(
      'format',
      `${path}: expected width ${config.width}, got ${features} features in ${file.path}`,
    )
  return saeFileOf({
    arrays,
    weights,
    format: 'gemma-scope-2',
    architecture: transcoder ? 'jump_relu transcoder' : 'jump_relu',
    activation: { kind: 'jumprelu' },
    subtractDecoderBias: config.apply_b_dec_to_input ?? false,
    transcoder,
    hookName: hookOf(input),
    targetHookName: hookOf(output),
    modelName: config.model_name ?? null,
    metadata: {
      prepend_bos: true,
      ...(input && { hf_hook_name: input }),
      ...(output !== input && { hf_hook_name_out: output }),
    },
  })
}

/** The hook point whose activation a module of Hugging Face's Gemma has; null for those that TransformerLens has no name for. */
function hookOf(module: string | undefined): string | null {
  const [, layer, point] = /layers\.(\d+)\.(.+)$/.exec(module ?? '') ?? []
  const name = {
    output: 'hook_resid_post',
    'self_attn.o_proj.input': 'attn.hook_z',
    'post_attention_layernorm.output': 'hook_attn_out',
    'post_feedforward_layernorm.output': 'hook_mlp_out',
  }[point ?? '']
  return name === undefined ? null : `blocks.${layer}.${name}`
}
