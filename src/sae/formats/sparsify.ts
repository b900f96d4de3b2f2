import { basename } from 'node:path'
import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import type { Detected } from './detect.js'
import { checkConfig, requireOneOf } from './read-json.js'
import type { SaeFile } from './sae-file.js'
import { saeFileOf } from './sae-file-of.js'
import { createWeightReader } from './weight-reader.js'

/*
 * EleutherAI's sparsify (https://github.com/EleutherAI/sparsify): a folder for each hook point with cfg.json and sae.safetensors.
 *
 *   f = the k largest of ReLU(W (x - b_dec) + b);  x_hat = W_dec f + b_dec (+ W_skip x)
 *
 * A transcoder (`transcode`) subtracts nothing. `W_dec` is [F, D] and `W_skip` [D, D] multiplies from the left.
 */

const configSchema = z.looseObject({
  d_in: z.int().positive(),
  k: z.int().positive(),
  activation: z.string().default('topk'),
  /** 0: d_in * expansion_factor */
  num_latents: z.int().min(0).default(0),
  expansion_factor: z.int().positive().optional(),
  transcode: z.boolean().default(false),
  skip_connection: z.boolean().default(false),
  signed: z.boolean().default(false),
  /** kinds of inputs besides x, which Monosem does not have */
  embed_skip: z.boolean().default(false),
  gram_lookup: z.boolean().default(false),
})

/** @throws MonosemError format, corrupt, io */
export async function readSparsify({ weights: file, config: found, directory }: Detected): Promise<SaeFile> {
  const path = found?.path ?? file.path
  const config = checkConfig(configSchema, found?.content, path, 'a configuration of sparsify')
  requireOneOf(path, 'activation', config.activation, ['topk'])
  for (const key of ['signed', 'embed_skip', 'gram_lookup'] as const)
    requireOneOf(path, key, config[key], [false])
  const d = config.d_in
  const weights = createWeightReader(file, 'an autoencoder of sparsify')
  const [features] = weights.shape('encoder.weight', 2)
  const announced = config.num_latents || d * (config.expansion_factor ?? features / d)
  if (announced !== features)
    throw new MonosemError(
      'format',
      `${path}: expected ${announced} latents, got ${features} in ${file.path}`,
      {
        hint: 'the configuration and the weights do not belong together',
      },
    )
  const arrays = {
    wEnc: await weights.take('encoder.weight', [features, d]),
    bEnc: await weights.take('encoder.bias', [features]),
    wDec: await weights.take('W_dec', [features, d]),
    bDec: await weights.take('b_dec', [d]),
    ...(config.skip_connection && { wSkip: await weights.takeTransposed('W_skip', [d, d]) }),
  }
  weights.finish()
  return saeFileOf({
    arrays,
    weights,
    format: 'sparsify',
    architecture: config.transcode ? 'topk transcoder' : 'topk',
    activation: { kind: 'topk', k: config.k },
    subtractDecoderBias: !config.transcode,
    transcoder: config.transcode || config.skip_connection,
    ...hooksOf(basename(directory), config.transcode),
  })
}

/** Folders are named after modules, `layers.3` or `layers.3.mlp`; what their outputs are called in TransformerLens. */
function hooksOf(folder: string, transcode: boolean): { hookName: string | null; targetHookName?: string } {
  const [, , layer, module] = /(^|\.)(?:layers|h|blocks)[._](\d+)(?:\.([\w.]+))?$/.exec(folder) ?? []
  const output = layer === undefined ? undefined : outputs[module ?? '']
  if (output === undefined) return { hookName: null }
  // a transcoder reads the module's own input, for which TransformerLens has no name that holds in every family
  return transcode
    ? { hookName: null, targetHookName: `blocks.${layer}.${output}` }
    : { hookName: `blocks.${layer}.${output}` }
}

/** By module of a block; '' is the block itself. */
const outputs: Record<string, string | undefined> = {
  '': 'hook_resid_post',
  mlp: 'hook_mlp_out',
  attn: 'hook_attn_out',
  self_attn: 'hook_attn_out',
  attention: 'hook_attn_out',
}
