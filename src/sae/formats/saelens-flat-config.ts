import { MonosemError } from '../../errors/monosem-error.js'
import { requireOneOf } from './read-json.js'

/** What belongs to the model and the text, and has moved to `metadata` in v6. */
const metadataKeys = [
  ...[
    'model_name',
    'hook_name',
    'hook_name_out',
    'hook_head_index',
    'hook_head_index_out',
    'model_class_name',
  ],
  ...[
    'model_from_pretrained_kwargs',
    'prepend_bos',
    'exclude_special_tokens',
    'neuronpedia_id',
    'context_size',
  ],
  ...['seqpos_slice', 'dataset_path', 'sae_lens_version', 'sae_lens_training_version'],
]

const renamed: Record<string, string> = {
  hook_point: 'hook_name',
  hook_point_head_index: 'hook_head_index',
  activation_fn_str: 'activation_fn',
}

/** Whether a cfg.json was written before SAELens 6: everything lies at the top. */
export const isFlatConfig = (config: Record<string, unknown>): boolean => !('metadata' in config)

/**
 * A cfg.json from before SAELens 6 in the words of v6, with the defaults that SAELens gives what is not there: b_dec is subtracted, activations
 * are as they are, hook_z is reshaped.
 * @throws MonosemError format: an activation function other than relu and topk
 */
export function fromFlatConfig(flat: Record<string, unknown>, path: string): Record<string, unknown> {
  const config: Record<string, unknown> = Object.fromEntries(
    Object.entries(flat).map(([key, value]) => [renamed[key] ?? key, value]),
  )
  const activation = config.activation_fn ?? 'relu'
  requireOneOf(path, 'activation_fn', activation, ['relu', 'topk'])
  const architecture = architectureOf(config, activation === 'topk', path)
  const hookName = String(config.hook_name ?? '')
  const { d_in, d_sae, d_out, dtype = 'float32', device = 'cpu' } = config
  return {
    architecture,
    ...{ d_in, d_sae, dtype, device },
    ...(d_out !== undefined && { d_out }),
    apply_b_dec_to_input: config.apply_b_dec_to_input ?? !architecture.endsWith('transcoder'),
    normalize_activations: normalization(config.normalize_activations),
    reshape_activations: config.reshape_activations ?? (hookName.includes('hook_z') ? 'hook_z' : 'none'),
    ...(architecture === 'topk' && {
      k: (config.activation_fn_kwargs as { k?: number } | undefined)?.k ?? config.k,
    }),
    ...(config.finetuning_scaling_factor === true && { finetuning_scaling_factor: true }),
    metadata: Object.fromEntries(
      metadataKeys.filter((key) => key in config).map((key) => [key, config[key]]),
    ),
  }
}

/** TopK was a standard autoencoder with another activation function. */
function architectureOf(config: Record<string, unknown>, topk: boolean, path: string): string {
  const architecture = String(config.architecture ?? 'standard')
  if (!topk) return architecture
  if (architecture === 'standard' || architecture === 'topk') return 'topk'
  throw new MonosemError('format', `${path}: activation_fn is topk, expected relu for ${architecture}`)
}

/** A boolean in the oldest files. */
function normalization(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 'expected_average_only_in' : 'none'
  return value ?? 'none'
}
