import type { SaeParamName } from '../sae-params.js'
import { type SaelensConfig, saelensArchitecture } from './saelens-config.js'
import type { StoredTensor } from './store-tensors.js'

/** A parameter as the file holds it. */
export interface StoredParam extends Omit<StoredTensor, 'array'> {
  param: SaeParamName
}

/** The tensors of a configuration's sae_weights.safetensors. */
export function storedTensors(config: SaelensConfig): StoredParam[] {
  const { d_in: d, d_sae: features, d_out: dOut = d } = config
  const { kind, skip } = saelensArchitecture(config)
  const perFeature = (param: SaeParamName, name: string, ...width: number[]): StoredParam => ({
    ...{ param, name, shape: [features, ...width], featureAxis: 0, transposed: false },
  })
  return [
    { param: 'wEnc', name: 'W_enc', shape: [d, features], featureAxis: 1, transposed: true },
    perFeature('bEnc', kind === 'gated' ? 'b_gate' : 'b_enc'),
    perFeature('wDec', 'W_dec', dOut),
    { param: 'bDec', name: 'b_dec', shape: [dOut], featureAxis: null, transposed: false },
    ...(kind === 'jumprelu' ? [perFeature('threshold', 'threshold')] : []),
    ...(kind === 'gated' ? [perFeature('rMag', 'r_mag'), perFeature('bMag', 'b_mag')] : []),
    ...(skip
      ? [{ param: 'wSkip', name: 'W_skip', shape: [dOut, d], featureAxis: null, transposed: true } as const]
      : []),
  ]
}
