import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'

/** What `cfg.json` of a SAELens v6 directory holds, as far as Monosem reads it. Other keys are kept. */
const saelensConfigSchema = z.looseObject({
  architecture: z.string(),
  d_in: z.number().int().positive(),
  d_sae: z.number().int().positive(),
  dtype: z.string().default('float32'),
  device: z.string().default('cpu'),
  /** whether b_dec is subtracted before encoding */
  apply_b_dec_to_input: z.boolean(),
  normalize_activations: z.string().default('none'),
  reshape_activations: z.string().default('none'),
  /** topk: active features per token */
  k: z.number().int().positive().optional(),
  /** topk: rank and scale pre-activations by the norm of the decoder row */
  rescale_acts_by_decoder_norm: z.boolean().optional(),
  metadata: z.looseObject({ hook_name: z.string().optional() }).default({}),
  /** what SAELens has no key for; features are always in units of raw activations */
  monosem: z
    .looseObject({
      /** s: the activations were multiplied by it in training; it is folded into the weights */
      activationScale: z.number().positive(),
      subtractDecoderBias: z.boolean(),
    })
    .optional(),
})

export type SaelensConfig = z.infer<typeof saelensConfigSchema>

/**
 * Checks a parsed cfg.json, and that it is of a kind that Monosem can run.
 * @param path for messages
 * @throws MonosemError format
 */
export function checkSaelensConfig(value: unknown, path: string): SaelensConfig {
  const result = saelensConfigSchema.safeParse(value)
  if (!result.success) {
    const { path: key, message } = result.error.issues[0]
    throw new MonosemError(
      'format',
      `${path} is not a SAELens v6 configuration: ${key.join('.')}: ${message}`,
      {
        cause: result.error,
        hint: 'directories written before SAELens 6 have to be converted by SAELens first',
      },
    )
  }
  const config = result.data
  requireOneOf(path, 'architecture', config.architecture, ['standard', 'topk'])
  requireOneOf(path, 'normalize_activations', config.normalize_activations, ['none'])
  requireOneOf(path, 'reshape_activations', config.reshape_activations, ['none'])
  if (config.architecture === 'topk' && config.k === undefined)
    throw new MonosemError('format', `${path}: a topk autoencoder needs k`)
  return config
}

function requireOneOf(path: string, key: string, found: string, known: readonly string[]): void {
  if (!known.includes(found))
    throw new MonosemError('format', `${path}: ${key} is ${found}, expected ${known.join(' or ')}`, {
      hint: `autoencoders with another ${key} cannot be loaded`,
    })
}
