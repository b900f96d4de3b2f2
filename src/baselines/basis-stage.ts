import { join } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import type { ActivationSource } from '../sae/activation-source.js'
import { writeSaelens } from '../sae/formats/saelens.js'
import { type SaelensConfig, saelensVersion } from '../sae/formats/saelens-config.js'
import type { SaeArrays } from '../sae/sae-params.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { activationMoments } from './activation-moments.js'
import { signedBasis, unitVectors } from './signed-basis.js'
import { symmetricEigen } from './symmetric-eigen.js'

/** A basis that stands beside an autoencoder. */
export interface BasisConfig {
  basis: 'pca' | 'neurons'
  hookName: string
  /** coordinates that a token keeps */
  k: number
  /** activations that mean and covariance are taken from */
  tokens: number
  batchSize: number
  seed: number
}

/**
 * Fits a basis and writes it as an autoencoder that every other command reads: a SAELens directory with 2 D features and TopK, and basis.json with
 * the variance along each direction, largest first.
 * @throws MonosemError diverged (activations that are not finite), interrupted, and those of `runStage`
 */
export async function runBasisStage(
  config: BasisConfig,
  { source, out, inputs }: { source: ActivationSource; out: string; inputs: Record<string, string> },
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  return runStage(
    { stage: 'sae', out, config: { ...config }, inputs, seed: config.seed },
    async (partial) => {
      const { d } = source
      const { mean, covariance, tokens } = await activationMoments(context.kernels, source, config, context)
      const neurons = Float64Array.from({ length: d }, (_, i) => covariance[i * d + i])
      const { values, vectors } =
        config.basis === 'pca' ? symmetricEigen(covariance, d) : { values: neurons, vectors: unitVectors(d) }
      const arrays = signedBasis(vectors, mean)
      await writeSaelens(partial, { config: saelensConfig(config, arrays, source), arrays })
      const variances = Array.from(values, (value) => Math.max(0, value)).sort((a, b) => b - a)
      await writeFileAtomic(join(partial, 'basis.json'), `${JSON.stringify({ tokens, variances })}\n`)
    },
  )
}

function saelensConfig(
  { basis, hookName, k }: BasisConfig,
  { bEnc, bDec }: SaeArrays,
  source: ActivationSource,
): SaelensConfig {
  return {
    architecture: 'topk',
    d_in: bDec.length,
    d_sae: bEnc.length,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: true,
    normalize_activations: 'none',
    reshape_activations: 'none',
    k: Math.min(k, bDec.length),
    rescale_acts_by_decoder_norm: false,
    metadata: {
      sae_lens_version: saelensVersion,
      hook_name: hookName,
      hook_head_index: null,
      prepend_bos: false,
      seqpos_slice: [null],
      ...source.metadata,
    },
    monosem: {
      architecture: basis,
      activationScale: 1,
      subtractDecoderBias: true,
      inputNormalization: 'none',
      featureUnits: 'raw',
    },
  }
}
