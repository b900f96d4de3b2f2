import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import type { SaeActivation, SaeForm } from '../../kernels/kernels.js'
import type { InputNormalization } from '../input-normalization.js'
import { checkConfig, requireOneOf } from './read-json.js'

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
  /** `expected_average_only_in`: by a factor that is not in cfg.json, see `readSaelens` */
  normalize_activations: z
    .string()
    .nullish()
    .transform((value) => value ?? 'none'),
  reshape_activations: z.string().default('none'),
  /** topk: active features per token */
  k: z.number().int().positive().optional(),
  /** topk: rank and scale pre-activations by the norm of the decoder row */
  rescale_acts_by_decoder_norm: z.boolean().optional(),
  metadata: z
    .looseObject({
      sae_lens_version: z.string().optional(),
      model_name: z.string().nullish(),
      hook_name: z.string().nullish(),
      hook_name_out: z.string().nullish(),
    })
    .default({}),
  /** what SAELens has no key for: `SaeConventions`, and where a converted autoencoder came from */
  monosem: z
    .looseObject({
      /** s: the activations were multiplied by it in training; it is folded into the weights */
      activationScale: z.number().positive(),
      /** t: the same of a transcoder's targets */
      targetScale: z.number().positive().optional(),
      subtractDecoderBias: z.boolean(),
      /** the name under which it was trained */
      architecture: z.string().optional(),
      featureUnits: z.enum(['raw', 'scaled', 'normalized']).optional(),
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

/** Whether SAELens itself can load what is written with this architecture. */
export const saelensKnows = ({ kind, transcoder }: SaelensArchitecture): boolean =>
  !transcoder || kind === 'relu' || kind === 'jumprelu'

/** The forward pass of a checked configuration. */
export function saelensForm(config: SaelensConfig): SaeForm {
  const { kind } = saelensArchitecture(config)
  const activation: SaeActivation = kind === 'topk' ? { kind, k: config.k as number } : { kind }
  return { activation, subtractDecoderBias: config.apply_b_dec_to_input }
}

/** What a checked configuration does to each token; a factor for all of them is none of it. */
export function saelensNormalization({ normalize_activations: name }: SaelensConfig): InputNormalization {
  return name === 'layer_norm' || name === 'constant_norm_rescale' ? name : 'none'
}

/** Version of SAELens whose layout is written; without one, it takes cfg.json for an older one and drops `metadata`. */
export const saelensVersion = '6.18.0'

/**
 * Checks a parsed cfg.json, and that it is of a kind that Monosem can run.
 * @param path for messages
 * @throws MonosemError format
 */
export function checkSaelensConfig(value: unknown, path: string): SaelensConfig {
  const config = checkConfig(saelensConfigSchema, value, path, 'a SAELens configuration')
  requireOneOf(path, 'architecture', config.architecture, [...byName.keys()])
  requireOneOf(path, 'normalize_activations', config.normalize_activations, [
    ...['none', 'expected_average_only_in', 'constant_norm_rescale', 'layer_norm'],
  ])
  requireOneOf(path, 'reshape_activations', config.reshape_activations, ['none', 'hook_z'])
  const { kind, transcoder } = saelensArchitecture(config)
  if (kind === 'topk' && config.k === undefined)
    throw new MonosemError('format', `${path}: a topk autoencoder needs k`)
  if (kind === 'topk' && (config.k as number) > config.d_sae)
    throw new MonosemError('format', `${path}: expected k up to d_sae ${config.d_sae}, got ${config.k}`)
  if (transcoder) checkTranscoder(config, path)
  else if (config.d_out !== undefined && config.d_out !== config.d_in)
    throw new MonosemError(
      'format',
      `${path}: expected d_out ${config.d_in} for ${config.architecture}, got ${config.d_out}`,
    )
  const { monosem } = config
  if (monosem && monosem.subtractDecoderBias !== config.apply_b_dec_to_input)
    throw new MonosemError(
      'format',
      `${path}: apply_b_dec_to_input is ${config.apply_b_dec_to_input} and monosem.subtractDecoderBias ${monosem.subtractDecoderBias}`,
      { hint: 'the two say the same thing: correct the one that is wrong' },
    )
  return config
}

function checkTranscoder(config: SaelensConfig, path: string): void {
  const { architecture, d_in: d, d_out: dOut = d } = config
  // sparsify's autoencoders with a skip connection subtract; SAELens has no name for them
  const ownName = !saelensKnows(saelensArchitecture(config))
  if (config.apply_b_dec_to_input && !(ownName && d === dOut))
    throw new MonosemError(
      'format',
      `${path}: expected apply_b_dec_to_input false for ${architecture}, got true`,
    )
  if (saelensNormalization(config) !== 'none')
    throw new MonosemError(
      'format',
      `${path}: normalize_activations is ${config.normalize_activations}, expected none for ${architecture}`,
      {
        hint: 'a transcoder writes other activations than it reads: what it reconstructs cannot be un-normed',
      },
    )
}
