import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Codes, Kernels, SaeForm, SaePacked, SaeTensors, Tensor } from '../kernels/kernels.js'
import { openStage } from '../storage/stage.js'
import { packEncoder } from './precision.js'
import type { ResolvedSaeConfig } from './sae-config.js'
import { freeSae, loadSaeTensors, type SaeArrays, saeTensors } from './sae-params.js'
import { readSaelens } from './saelens.js'
import { type SaelensConfig, saelensForm } from './saelens-config.js'

/** What running an autoencoder takes. */
export interface SaeParts {
  kernels: Kernels
  params: SaeTensors
  form: SaeForm
  /** W_enc packed for encoding */
  packed: SaePacked
}

/**
 * A sparse autoencoder ready to run on raw activations: x_hat = W_dec f + b_dec, f = activation(W_enc x + b_enc); `SaeForm` has the
 * variants. A transcoder reads x and reconstructs another activation y.
 */
export interface Sae extends SaeParts {
  /** D, width of the activations that it reads */
  d: number
  /** Dout, width of those that it reconstructs */
  dOut: number
  /** F, number of features */
  features: number
  /** cfg.json as it was read */
  config: SaelensConfig
  /** hook point that it reads; '' where cfg.json names none */
  hookName: string
  /** hook point that it reconstructs: the same but for transcoders */
  targetHookName: string
}

/** Copies arrays to the kernels and packs the encoder. @throws MonosemError shape */
export function createSaeParts(
  kernels: Kernels,
  arrays: SaeArrays,
  form: SaeForm,
  precision: ResolvedSaeConfig['precision'] = 'fp32',
): SaeParts {
  const params = saeTensors(kernels, arrays)
  return { kernels, params, form, packed: packEncoder(kernels, params.wEnc, precision, null) }
}

/**
 * Loads an autoencoder from a directory of ours (its files are checked against their hashes) or of SAELens v6.
 * @param options.precision number format in which encoding looks for active features; default fp32
 * @throws MonosemError missing, format, corrupt, io
 */
export async function loadSae(
  kernels: Kernels,
  directory: string,
  options: { precision?: ResolvedSaeConfig['precision'] } = {},
): Promise<Sae> {
  if (existsSync(join(directory, 'manifest.json'))) {
    const stage = await openStage(directory, 'sae')
    await Promise.all([stage.file('cfg.json'), stage.file('sae_weights.safetensors')])
  }
  const { config, arrays } = await readSaelens(directory)
  await setImmediate()
  const params = await loadSaeTensors(kernels, arrays)
  const precision = options.precision ?? 'fp32'
  const hookName = config.metadata.hook_name ?? ''
  return {
    ...{ kernels, params, form: saelensForm(config) },
    packed: packEncoder(kernels, params.wEnc, precision, null),
    d: config.d_in,
    dOut: config.d_out ?? config.d_in,
    features: config.d_sae,
    config,
    hookName,
    targetHookName: config.metadata.hook_name_out ?? hookName,
  }
}

/** The active features of x [N, D]. */
export function encode({ kernels, params, form, packed }: SaeParts, x: Tensor): Promise<Codes> {
  return kernels.saeEncode(params, x, form, packed)
}

/**
 * A few features of every token, without the rest: activations [N, n] of the features `featureIds`, zeros included. For topk they are
 * those of relu: which ones are among the k largest takes all features to know. Enqueues only; the caller frees the result.
 */
export function encodeRows({ kernels, params, form }: SaeParts, x: Tensor, featureIds: Int32Array): Tensor {
  const out = kernels.zeros([x.shape[0], featureIds.length])
  kernels.saeEncodeFeatures(out, params, x, featureIds, form)
  return out
}

/**
 * xHat [N, Dout] = W_dec f + b_dec (+ x W_skip). Enqueues only.
 * @param x [N, D] what was encoded; only a transcoder with a skip connection needs it
 */
export function decode(
  { kernels, params }: SaeParts,
  xHat: Tensor,
  codes: Codes,
  x: Tensor | null = null,
): void {
  kernels.saeDecode(xHat, params, codes, x)
}

/**
 * xHat [N, Dout] = decode(encode(x)), and losses [N] = ||y - xHat||^2 unless null. Enqueues only.
 * @param y [N, Dout] what is reconstructed: x itself but for transcoders
 */
export function reconstruct(
  { kernels, params, form, packed }: SaeParts,
  xHat: Tensor,
  losses: Tensor | null,
  x: Tensor,
  y: Tensor = x,
): void {
  kernels.saeReconstruct(xHat, losses, params, x, y, form, packed)
}

/** Gives the memory back. */
export function unloadSae({ kernels, params, packed }: SaeParts): void {
  freeSae(kernels, params)
  kernels.saeFreePacked(packed)
}
