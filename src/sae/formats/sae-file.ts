import type { InputNormalization } from '../input-normalization.js'
import type { SaeArrays } from '../sae-params.js'
import type { SaelensConfig } from './saelens-config.js'

/** The layouts in which autoencoders are published. */
export const saeFormats = [
  'saelens',
  'dictionary_learning',
  'sparsify',
  'openai',
  'gemma-scope',
  'gemma-scope-2',
  'llama-scope',
] as const
export type SaeFormat = (typeof saeFormats)[number]

/**
 * Everything that the weights alone do not say. Two autoencoders with equal tensors and different conventions are different functions, and most
 * wrong conversions are a convention that was guessed. Saved under `monosem` in cfg.json.
 */
export interface SaeConventions {
  /** layout of the files that the weights come from */
  format: SaeFormat
  /** what the program that trained it calls it, such as jumprelu or BatchTopKSAE */
  architecture: string
  /** how pre-activations become activations */
  activation: 'relu' | 'jumprelu' | 'gated' | 'topk'
  /** topk: active features per token; null otherwise */
  k: number | null
  /** whether b_dec is subtracted from what the encoder reads, after normalisation */
  subtractDecoderBias: boolean
  /** what is done to each token before the encoder, and undone after the decoder */
  inputNormalization: InputNormalization
  /** s: activations were multiplied by it in training; it is folded into the weights, which read raw activations. 1: none */
  activationScale: number
  /** t: the same of what is reconstructed; for an autoencoder t = s */
  targetScale: number
  /** units of feature activations: of raw activations, of those multiplied by s, or of each token normalised */
  featureUnits: 'raw' | 'scaled' | 'normalized'
  /** where thresholds applied in the files: nowhere, on z = W_enc x + b_enc, or on z ||W_dec row||. Here they always apply on z */
  thresholdSpace: 'none' | 'pre-activation' | 'pre-activation times decoder norm'
  /** as stored, or decoder rows brought to norm 1, their norms moved into the encoder: f is then f ||W_dec row|| of the files */
  decoderNorms: 'as stored' | 'folded'
  /** hook_z: the heads' outputs [H, W] side by side as one vector [H * W] */
  reshapeActivations: 'none' | 'hook_z'
  /** number formats of the weights on disk; here they are F32 */
  dtype: string
  /** TransformerLens name of the hook point that is read; null where the files do not say */
  hookName: string | null
  /** the one that is reconstructed */
  targetHookName: string | null
  /** model whose activations it reads; null where the files do not say */
  modelName: string | null
}

/** An autoencoder as read from its files, in our layout of the weights. */
export interface SaeFile {
  /** describes `arrays` as they are here, in SAELens's terms: what conversion writes */
  config: SaelensConfig
  arrays: SaeArrays
  conventions: SaeConventions
  /** what was odd but can be read: NaN weights, thresholds that were never set, ... */
  warnings: string[]
}
