import type { Kernels, SaeForm } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'
import { saelensConventions } from '../../src/sae/formats/saelens.js'
import { type SaelensKind, saelensName } from '../../src/sae/formats/saelens-config.js'
import { createSaeParts, type Sae } from '../../src/sae/sae.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'

/** An autoencoder from plain arrays; a transcoder where another target is named. */
export function saeOf(
  kernels: Kernels,
  arrays: SaeArrays,
  d: number,
  hookName: string,
  form: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: true },
  targetHookName = hookName,
): Sae {
  const features = arrays.bEnc.length
  const { activation } = form
  const transcoder = targetHookName !== hookName
  const config = {
    architecture: saelensName({
      kind: activation.kind as SaelensKind,
      transcoder,
      skip: arrays.wSkip !== undefined,
    }),
    d_in: d,
    d_sae: features,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: form.subtractDecoderBias,
    normalize_activations: 'none',
    reshape_activations: 'none',
    ...(transcoder && { d_out: arrays.bDec.length }),
    ...(activation.kind === 'topk' && { k: activation.k }),
    metadata: { hook_name: hookName, ...(transcoder && { hook_name_out: targetHookName }) },
  }
  return {
    ...createSaeParts(kernels, arrays, form),
    d,
    dOut: arrays.bDec.length,
    features,
    config,
    conventions: saelensConventions(config),
    hookName,
    targetHookName,
  }
}

/** Random weights, biased so that some features are rare. */
export function randomArrays(features: number, d: number, seed = 1): SaeArrays {
  const random = Random.named(seed, 'sae')
  const normal = (length: number) => Float32Array.from({ length }, () => random.normal())
  const wEnc = normal(features * d)
  return { wEnc, bEnc: normal(features).map((b) => b - 0.5), wDec: wEnc.slice(), bDec: normal(d) }
}

/** 2 D features, +e_i and -e_i: reconstructs everything exactly. */
export function identityArrays(d: number): SaeArrays {
  const wEnc = new Float32Array(2 * d * d)
  for (let i = 0; i < d; i++) {
    wEnc[i * d + i] = 1
    wEnc[(d + i) * d + i] = -1
  }
  return { wEnc, bEnc: new Float32Array(2 * d), wDec: wEnc.slice(), bDec: new Float32Array(d) }
}

/** Never fires and reconstructs everything as `bDec`. */
export function silentArrays(features: number, bDec: Float32Array): SaeArrays {
  const d = bDec.length
  const zeros = new Float32Array(features * d)
  return { wEnc: zeros, bEnc: new Float32Array(features).fill(-1), wDec: zeros.slice(), bDec }
}
