import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import type { SaeActivation, SaeForm } from '../kernels/kernels.js'

/** What `cfg.json` of a SAELens v6 directory holds, as far as Monosem reads it. Other keys are kept. */
const saelensConfigSchema = z.looseObject({
  architecture: z.string(),
  d_in: z.number().int().positive(),
  d_sae: z.number().int().positive(),
  /** transcoders: width of the output */
  d_out: z.number().int().positive().optional(),
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
  metadata: z
    .looseObject({ hook_name: z.string().optional(), hook_name_out: z.string().nullish() })
    .default({}),
  /** what SAELens has no key for; features are always in units of raw activations */
  monosem: z
    .looseObject({
      /** s: the activations were multiplied by it in training; it is folded into the weights */
      activationScale: z.number().positive(),
      /** t: the same of a transcoder's targets */
      targetScale: z.number().positive().optional(),
      subtractDecoderBias: z.boolean(),
      /** the name under which it was trained */
      architecture: z.string().optional(),
    })
    .optional(),
})

export type SaelensConfig = z.infer<typeof saelensConfigSchema>

/** What can be saved: batchtopk has become jumprelu. */
export type SaelensKind = Exclude<SaeActivation['kind'], 'batchtopk'>

/** What the name of an architecture stands for. */
export interface SaelensArchitecture {
  kind: SaelensKind
  transcoder: boolean
  skip: boolean
}

const kinds: SaelensKind[] = ['relu', 'jumprelu', 'gated', 'topk']

/**
 * Names of architectures. `standard`, `gated`, `jumprelu`, `topk`, `transcoder`, `skip_transcoder`, `jumprelu_transcoder` and
 * `jumprelu_skip_transcoder` are SAELens's. It has no transcoders of the other two kinds: their names are made alike, so that it refuses
 * them instead of computing something else.
 */
export function saelensName({ kind, transcoder, skip }: SaelensArchitecture): string {
  if (!transcoder) return kind === 'relu' ? 'standard' : kind
  return `${kind === 'relu' ? '' : `${kind}_`}${skip ? 'skip_' : ''}transcoder`
}

const byName = new Map(
  kinds.flatMap((kind) =>
    [
      { kind, transcoder: false, skip: false },
      { kind, transcoder: true, skip: false },
      { kind, transcoder: true, skip: true },
    ].map((architecture) => [saelensName(architecture), architecture]),
  ),
)

/** What a checked configuration is of. */
export function saelensArchitecture({ architecture }: SaelensConfig): SaelensArchitecture {
  return byName.get(architecture) as SaelensArchitecture
}

/** The forward pass of a checked configuration. */
export function saelensForm(config: SaelensConfig): SaeForm {
  const { kind } = saelensArchitecture(config)
  const activation: SaeActivation = kind === 'topk' ? { kind, k: config.k as number } : { kind }
  return { activation, subtractDecoderBias: config.apply_b_dec_to_input }
}

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
  requireOneOf(path, 'architecture', config.architecture, [...byName.keys()])
  requireOneOf(path, 'normalize_activations', config.normalize_activations, ['none'])
  requireOneOf(path, 'reshape_activations', config.reshape_activations, ['none'])
  const { kind, transcoder } = saelensArchitecture(config)
  if (kind === 'topk' && config.k === undefined)
    throw new MonosemError('format', `${path}: a topk autoencoder needs k`)
  if (transcoder && config.apply_b_dec_to_input)
    throw new MonosemError(
      'format',
      `${path}: expected apply_b_dec_to_input false for ${config.architecture}, got true`,
    )
  return config
}

function requireOneOf(path: string, key: string, found: string, known: readonly string[]): void {
  if (!known.includes(found))
    throw new MonosemError('format', `${path}: ${key} is ${found}, expected ${known.join(' or ')}`, {
      hint: `autoencoders with another ${key} cannot be loaded`,
    })
}
