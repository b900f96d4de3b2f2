import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Codes, Kernels, SaeActivation, SaeTensors, Tensor } from '../kernels/kernels.js'
import { openStage } from '../storage/stage.js'
import { freeSae, saeTensors } from './sae-params.js'
import { readSaelens } from './saelens.js'
import type { SaelensConfig } from './saelens-config.js'

/** A sparse autoencoder ready to run: x_hat = W_dec f + b_dec, f = activation(W_enc (x - b_dec) + b_enc), x raw activations. */
export interface Sae {
  kernels: Kernels
  /** D, width of the activations */
  d: number
  /** F, number of features */
  features: number
  params: SaeTensors
  activation: SaeActivation
  /** cfg.json as it was read */
  config: SaelensConfig
  /** hook point that it decomposes; '' where cfg.json names none */
  hookName: string
}

/**
 * Loads an autoencoder from a directory of ours (its files are checked against their hashes) or of SAELens v6.
 * @throws MonosemError missing, format, corrupt, io
 */
export async function loadSae(kernels: Kernels, directory: string): Promise<Sae> {
  if (existsSync(join(directory, 'manifest.json'))) {
    const stage = await openStage(directory, 'sae')
    await Promise.all([stage.file('cfg.json'), stage.file('sae_weights.safetensors')])
  }
  const { config, arrays } = await readSaelens(directory)
  const { d_in: d, d_sae: features } = config
  return {
    kernels,
    d,
    features,
    params: saeTensors(kernels, arrays, features, d),
    activation: config.architecture === 'topk' ? { kind: 'topk', k: config.k as number } : { kind: 'relu' },
    config,
    hookName: config.metadata.hook_name ?? '',
  }
}

/** The active features of x [N, D]. */
export function encode(sae: Sae, x: Tensor): Promise<Codes> {
  return sae.kernels.saeEncode(sae.params, x, sae.activation)
}

/** xHat [N, D] = W_dec f + b_dec. Enqueues only. */
export function decode(sae: Sae, xHat: Tensor, codes: Codes): void {
  sae.kernels.saeDecode(xHat, sae.params, codes)
}

/** xHat [N, D] = decode(encode(x)), and losses [N] = ||x - xHat||^2 unless null. Enqueues only. */
export function reconstruct(sae: Sae, xHat: Tensor, losses: Tensor | null, x: Tensor): void {
  sae.kernels.saeReconstruct(xHat, losses, sae.params, x, sae.activation)
}

/** Gives the memory back. */
export function unloadSae(sae: Sae): void {
  freeSae(sae.kernels, sae.params)
}
