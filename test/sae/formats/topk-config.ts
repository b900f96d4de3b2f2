import type { SaelensConfig } from '../../../src/sae/formats/saelens-config.js'

/** cfg.json of a topk autoencoder of D `d` and F `features`, as SAELens writes it. @param rest what the test is about */
export const topkConfig = (
  d: number,
  features: number,
  rest: Partial<SaelensConfig> & Pick<SaelensConfig, 'metadata'>,
): SaelensConfig => ({
  architecture: 'topk',
  d_in: d,
  d_sae: features,
  dtype: 'float32',
  device: 'cpu',
  apply_b_dec_to_input: true,
  normalize_activations: 'none',
  reshape_activations: 'none',
  ...rest,
})
