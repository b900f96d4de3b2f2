import { MonosemError } from '../../errors/monosem-error.js'
import type { Detected } from './detect.js'
import type { SaeFile } from './sae-file.js'
import { saeFileOf } from './sae-file-of.js'
import { createWeightReader } from './weight-reader.js'

/*
 * OpenAI's sparse_autoencoder (Gao et al. 2024, https://github.com/openai/sparse_autoencoder): a PyTorch file with the tensors of
 *
 *   f = activation(W (x - pre_bias) + latent_bias);  x_hat = decoder f + pre_bias
 *
 * With TopK each token is normed first, (x - mean) / (std + 1e-5), and the reconstruction goes back, x_hat std + mean. The file says so only
 * by the name of its activation.
 */

/** Statistics of training that are saved with the weights. */
const statistics = ['stats_last_nonzero', 'latents_activation_frequency', 'latents_mean_square']

/** @throws MonosemError format, corrupt, io */
export async function readOpenai({ weights: file }: Detected): Promise<SaeFile> {
  const { activation, name } = activationOf(file.path, file.values)
  const weights = createWeightReader(file, 'an autoencoder of OpenAI')
  const [features, d] = weights.shape('encoder.weight', 2)
  const wEnc = await weights.take('encoder.weight', [features, d])
  const tied = !weights.has('decoder.weight')
  const arrays = {
    wEnc,
    bEnc: await weights.take('latent_bias', [features]),
    // tied: the decoder is the encoder's transpose, so its rows are the encoder's
    wDec: tied ? wEnc.slice() : await weights.takeTransposed('decoder.weight', [d, features]),
    bDec: await weights.take('pre_bias', [d]),
  }
  weights.finish([...statistics, 'decoder.linear.weight'])
  return saeFileOf({
    arrays,
    weights,
    format: 'openai',
    architecture: tied ? `${name}, tied` : name,
    activation,
    subtractDecoderBias: true,
    inputNormalization: activation.kind === 'topk' ? 'layer_norm' : 'none',
  })
}

function activationOf(path: string, values: Readonly<Record<string, unknown>>) {
  const name = values.activation ?? 'ReLU'
  if (name === 'ReLU') return { name, activation: { kind: 'relu' as const } }
  if (name !== 'TopK')
    throw new MonosemError('format', `${path}: activation is ${String(name)}, expected ReLU or TopK`)
  const state = (values.activation_state_dict ?? {}) as { k?: unknown; postact_fn?: unknown }
  if (typeof state.k !== 'number' || !Number.isInteger(state.k) || state.k < 1)
    throw new MonosemError(
      'format',
      `${path}: expected activation_state_dict.k as a count, got ${String(state.k)}`,
    )
  if ((state.postact_fn ?? 'ReLU') !== 'ReLU')
    throw new MonosemError(
      'format',
      `${path}: activation_state_dict.postact_fn is ${String(state.postact_fn)}, expected ReLU`,
      { hint: 'features that can be negative are not what Monosem computes' },
    )
  return { name, activation: { kind: 'topk' as const, k: state.k } }
}
