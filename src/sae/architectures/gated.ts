import type { SaeArchitecture } from './architecture.js'
import { commonStepOptions, sparsityShare, subtractsDecoderBias } from './common.js'
import { relu } from './relu.js'

/**
 * The gated autoencoder of Rajamanoharan et al. 2024, "Improving Dictionary Learning with Gated Sparse Autoencoders"
 * (https://arxiv.org/abs/2404.16014), section 3.2. The penalty acts on a gate that decides which features are active, not on how large
 * they are, so activations are not shrunk:
 *
 *   u     = W_enc (x - b_dec)
 *   gate  = u + b_gate,   mag = exp(r_mag) u + b_mag                (eqs. 6 and 7: the two paths share directions)
 *   f     = H(gate) ReLU(mag)
 *   x_hat = W_dec f + b_dec
 *   loss  = ||x - x_hat||^2 + lambda ||ReLU(gate)||_1 + ||x - x_hat_gate||^2          (eq. 8)
 *
 * where x_hat_gate decodes ReLU(gate) with the decoder held constant: it is what trains the gate. b_gate is `bEnc`. Unit decoder
 * rows; r_mag, b_mag and b_gate start at 0; dead features are resampled. Ours: the encoder starts as in `relu.ts`, and lambda rises.
 */
export const gated: SaeArchitecture = {
  defaults: () => ({ l1Coefficient: 7, deadFeatures: 'resample' }),

  form: (config) => ({ activation: { kind: 'gated' }, subtractDecoderBias: subtractsDecoderBias(config) }),

  featureStart: () => ({ rMag: 0, bMag: 0 }),

  initialise: relu.initialise,

  stepOptions(config, position) {
    const lambda = config.l1Coefficient * sparsityShare(config, position)
    return {
      ...commonStepOptions(config, position),
      form: gated.form(config),
      sparsity: { kind: 'l1', coefficient: lambda, byDecoderNorm: false },
      unitNormDecoder: true,
    }
  },

  toInference: (config, arrays) => ({ arrays, form: gated.form(config) }),
}
