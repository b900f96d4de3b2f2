import { MonosemError } from '../../errors/monosem-error.js'
import type { InputNormalization } from '../input-normalization.js'
import { type SaeArrays, shapeOfArrays } from '../sae-params.js'
import type { SaeConventions, SaeFile, SaeFormat } from './sae-file.js'
import {
  checkSaelensConfig,
  type SaelensConfig,
  type SaelensKind,
  saelensName,
  saelensVersion,
} from './saelens-config.js'
import type { WeightReader } from './weight-reader.js'

/** What a reader of a layout has found out. What is left out is as most are: nothing scaled, nothing normed, features in raw units. */
export interface FoundSae {
  format: SaeFormat
  /** name in the program that trained it */
  architecture: string
  arrays: SaeArrays
  weights: WeightReader
  activation: { kind: Exclude<SaelensKind, 'topk'> } | { kind: 'topk'; k: number }
  subtractDecoderBias: boolean
  /** default false */
  transcoder?: boolean
  inputNormalization?: InputNormalization
  activationScale?: number
  targetScale?: number
  thresholdSpace?: SaeConventions['thresholdSpace']
  decoderNorms?: SaeConventions['decoderNorms']
  hookName?: string | null
  /** default: `hookName` */
  targetHookName?: string | null
  modelName?: string | null
  /** further keys of `metadata` that the files know, in SAELens's words */
  metadata?: Record<string, unknown>
  warnings?: readonly string[]
}

/** An autoencoder with its configuration in SAELens's terms and every convention written down. @throws MonosemError format */
export function saeFileOf(found: FoundSae): SaeFile {
  const conventions = conventionsOf(found)
  return {
    config: checkSaelensConfig(configOf(found, conventions), found.weights.path),
    arrays: found.arrays,
    conventions,
    warnings: [...found.weights.warnings(), ...(found.warnings ?? [])],
  }
}

function conventionsOf(found: FoundSae): SaeConventions {
  const { activation, activationScale = 1, inputNormalization = 'none', hookName = null } = found
  return {
    format: found.format,
    architecture: found.architecture,
    activation: activation.kind,
    k: activation.kind === 'topk' ? activation.k : null,
    subtractDecoderBias: found.subtractDecoderBias,
    inputNormalization,
    activationScale,
    targetScale: found.targetScale ?? activationScale,
    featureUnits: inputNormalization !== 'none' ? 'normalized' : activationScale !== 1 ? 'scaled' : 'raw',
    thresholdSpace: found.thresholdSpace ?? (activation.kind === 'jumprelu' ? 'pre-activation' : 'none'),
    decoderNorms: found.decoderNorms ?? 'as stored',
    reshapeActivations: hookName?.endsWith('hook_z') ? 'hook_z' : 'none',
    dtype: found.weights.dtype(),
    hookName,
    targetHookName: found.targetHookName ?? hookName,
    modelName: found.modelName ?? null,
  }
}

function configOf(found: FoundSae, conventions: SaeConventions): SaelensConfig {
  const { d, dOut, features } = shapeOfArrays(found.arrays)
  const { activation, transcoder = false } = found
  const { hookName, targetHookName, modelName } = conventions
  if (!transcoder && d !== dOut)
    throw new MonosemError(
      'format',
      `${found.weights.path}: expected D ${d} on both sides, got ${dOut} after the decoder`,
    )
  return {
    architecture: saelensName({
      kind: activation.kind,
      transcoder,
      skip: found.arrays.wSkip !== undefined,
    }),
    d_in: d,
    d_sae: features,
    ...(transcoder && { d_out: dOut }),
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: found.subtractDecoderBias,
    normalize_activations: conventions.inputNormalization,
    reshape_activations: conventions.reshapeActivations,
    ...(activation.kind === 'topk' && { k: activation.k, rescale_acts_by_decoder_norm: false }),
    metadata: {
      sae_lens_version: saelensVersion,
      ...(modelName !== null && { model_name: modelName }),
      ...(hookName !== null && { hook_name: hookName }),
      ...(transcoder && targetHookName !== null && { hook_name_out: targetHookName }),
      hook_head_index: null,
      ...found.metadata,
    },
  }
}
