import type { SaeArchitecture } from './architecture.js'
import { batchTopK } from './batchtopk.js'

/**
 * The Matryoshka autoencoder of Bussmann et al. 2025, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders"
 * (https://arxiv.org/abs/2503.17547): as `batchtopk.ts`, with the squared error summed over nested dictionaries (eq. 5),
 *
 *   loss = sum over the prefixes p of ||x - (W_dec f)_p - b_dec||^2
 *
 * where (W_dec f)_p uses the first p features only. Early features must reconstruct without the later ones, and so stay general
 * instead of leaving the common part of their concept to others (feature absorption).
 */
export const matryoshka: SaeArchitecture = {
  ...batchTopK,
  stepOptions: (config, position) => ({
    ...batchTopK.stepOptions(config, position),
    prefixes: config.prefixes,
  }),
}
