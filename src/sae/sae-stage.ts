import { join } from 'node:path'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { type Json, runStage, type StageResult } from '../storage/stage.js'
import type { ActivationSource } from './activation-source.js'
import { architectures } from './architectures.js'
import { measureSae } from './measure-sae.js'
import type { SaeConfig } from './sae-config.js'
import { foldActivationScale, readSae } from './sae-params.js'
import { writeSaelens } from './saelens.js'
import type { SaelensConfig } from './saelens-config.js'
import { trainSae } from './train-sae.js'
import { countDead, freeTrainState } from './train-state.js'

/** What metrics.json of the sae stage holds. */
export interface SaeMetrics {
  /** mean number of active features per token, on `measuredTokens` tokens of the training stream after the last step */
  l0: number
  /** on the same tokens */
  explainedVariance: number
  measuredTokens: number
  /** share of the features that did not fire in the last `deadAfterTokens` tokens of training */
  deadFraction: number
  /** tokens per second of training, data included */
  samplesPerSecond: number
  steps: number
  /** s: activations were multiplied by it in training */
  activationScale: number
}

/**
 * Trains an autoencoder and saves it as a SAELens v6 directory: cfg.json, sae_weights.safetensors, sparsity.safetensors, and beside
 * them metrics.json and metrics.jsonl. Features are in units of raw activations; decoder rows have unit norm.
 * @throws MonosemError see `runStage` and `trainSae`
 */
export async function runSaeStage(
  config: SaeConfig,
  { source, out, inputs }: { source: ActivationSource; out: string; inputs: Record<string, string> },
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const request = { stage: 'sae', out, config: config as Record<string, Json>, inputs, seed: config.seed }
  return runStage(request, (partial) => trainAndSave(config, source, partial, context))
}

async function trainAndSave(
  config: SaeConfig,
  source: ActivationSource,
  directory: string,
  context: StageContext & { kernels: Kernels },
): Promise<void> {
  const { kernels } = context
  const { state, stream } = await trainSae(kernels, source, config, directory, context)
  try {
    const { params, counters } = state
    const activation = architectures[config.architecture].activation(config)
    const measured = await measureSae(kernels, params, activation, stream, config.measureTokens)
    const { activationScale, step, seconds } = counters
    const arrays = foldActivationScale(await readSae(kernels, params), activationScale)
    const cfg = saelensConfig(config, source, activationScale)
    await writeSaelens(directory, { config: cfg, arrays }, measured.frequencies)
    const dead = countDead(await kernels.read(state.tokensSinceFired), config.deadAfterTokens)
    const metrics: SaeMetrics = {
      l0: measured.l0,
      explainedVariance: measured.explainedVariance,
      measuredTokens: measured.tokens,
      deadFraction: dead / config.features,
      samplesPerSecond: (step * config.batchSize) / seconds,
      steps: step,
      activationScale,
    }
    await writeFileAtomic(join(directory, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`)
  } finally {
    await stream.close()
    freeTrainState(kernels, state)
  }
}

function saelensConfig(config: SaeConfig, source: ActivationSource, activationScale: number): SaelensConfig {
  const topk = config.architecture === 'topk'
  return {
    architecture: topk ? 'topk' : 'standard',
    d_in: source.d,
    d_sae: config.features,
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: true,
    normalize_activations: 'none',
    reshape_activations: 'none',
    ...(topk ? { k: Math.min(config.k, config.features), rescale_acts_by_decoder_norm: false } : {}),
    metadata: {
      hook_name: config.hookName,
      hook_head_index: null,
      prepend_bos: false,
      seqpos_slice: [null],
      ...source.metadata,
    },
    monosem: { activationScale, subtractDecoderBias: true },
  }
}
