import { setImmediate } from 'node:timers/promises'
import { MonosemError } from '../errors/monosem-error.js'
import type { Codes, Kernels, SaeForm, SaePacked, SaeRanks, SaeTensors, Tensor } from '../kernels/kernels.js'
import type { NdArray } from '../kernels/nd-array.js'
import { type ReadSaeOptions, readSae } from './formats/read-sae.js'
import type { SaeConventions, SaeFile } from './formats/sae-file.js'
import { type SaelensConfig, saelensForm, saelensNormalization } from './formats/saelens-config.js'
import { denormalize, type InputNormalization, normalizeInput, tokenScales } from './input-normalization.js'
import { packEncoder } from './precision.js'
import type { ResolvedSaeConfig } from './sae-config.js'
import { freeSae, loadSaeTensors, type SaeArrays, saeTensors } from './sae-params.js'

/** What running an autoencoder takes. */
export interface SaeParts {
  kernels: Kernels
  params: SaeTensors
  form: SaeForm
  /** W_enc packed for encoding */
  packed: SaePacked
  /** what is done to each token before the encoder, and undone to its reconstruction */
  inputNormalization: InputNormalization
  /** where its features are spread over ranks: `params` are those of this one, and all of them call its functions with the same tokens */
  ranks?: SaeRanks
}

/**
 * A sparse autoencoder ready to run on raw activations: x_hat = W_dec f + b_dec, f = activation(W_enc x + b_enc); `SaeForm` has the
 * variants. A transcoder reads x and reconstructs another activation y. With `inputNormalization`, each token is normed for the encoder and its
 * reconstruction is brought back: x_hat = scale (W_dec f + b_dec) + offset, so decoding needs x, and a feature adds f d_i times its token's scale.
 */
export interface Sae extends SaeParts {
  /** D, width of the activations that it reads */
  d: number
  /** Dout, width of those that it reconstructs */
  dOut: number
  /** F, number of features */
  features: number
  /** what cfg.json would hold if it were saved: the file's own where it was one, with what was folded into the weights */
  config: SaelensConfig
  /** everything that the weights do not say */
  conventions: SaeConventions
  /** hook point that it reads; '' where its files name none */
  hookName: string
  /** hook point that it reconstructs: the same but for transcoders */
  targetHookName: string
}

/** An autoencoder that was loaded, with what one does to it. `using sae = await loadSae(...)` gives its memory back at the end. */
export interface LoadedSae extends Sae {
  /**
   * The active features of activations: plain arrays [..., D] as a model's `forward` gives them, every vector of the last axis a token; or a tensor [N, D].
   * @throws MonosemError shape
   */
  encode(x: NdArray | Tensor): Promise<Codes>
  /**
   * The reconstruction [N, Dout] of N tokens, in the units of the activations.
   * @param x what was encoded; skip connections and inputs that are normed token by token need it
   * @throws MonosemError shape
   */
  decode(codes: Codes, x?: NdArray | Tensor): Promise<NdArray>
  /** Gives the memory back; using the autoencoder later is an error. */
  free(): void
  [Symbol.dispose](): void
}

export type SaePrecisionChoice = ResolvedSaeConfig['precision']

/**
 * Copies arrays to the kernels and packs the encoder.
 * @param ranks where `arrays` are only the features of this rank, see `SaeParts`
 * @throws MonosemError shape
 */
export function createSaeParts(
  kernels: Kernels,
  arrays: SaeArrays,
  form: SaeForm,
  ranks?: SaeRanks,
): SaeParts {
  const params = saeTensors(kernels, arrays)
  const packed = packEncoder(kernels, params.wEnc, 'fp32', null)
  return { kernels, params, form, packed, inputNormalization: 'none', ...(ranks && { ranks }) }
}

export interface LoadSaeOptions extends ReadSaeOptions {
  /** number format in which encoding looks for active features; default fp32 */
  precision?: SaePrecisionChoice
}

/**
 * Loads an autoencoder from a directory of ours (its files are checked against their hashes), from the files of SAELens, dictionary_learning,
 * sparsify, OpenAI, Gemma Scope or Llama Scope, or from the Hugging Face hub. What was odd about the files goes to `options.progress`.
 * @param source a directory, a file of weights, or owner/name/some/folder on the hub
 * @throws MonosemError missing, format, corrupt, io, remote
 */
export async function loadSae(
  kernels: Kernels,
  source: string,
  options: LoadSaeOptions = {},
): Promise<LoadedSae> {
  return placeSae(kernels, await readSae(source, options), options)
}

/** An autoencoder that was read, ready to run. */
export async function placeSae(
  kernels: Kernels,
  { config, arrays, conventions, warnings }: SaeFile,
  options: LoadSaeOptions = {},
): Promise<LoadedSae> {
  for (const warning of warnings) options.progress?.note(`warning: ${warning}`)
  await setImmediate()
  const params = await loadSaeTensors(kernels, arrays)
  return loadedSae({
    ...{ kernels, params, form: saelensForm(config) },
    packed: packEncoder(kernels, params.wEnc, options.precision ?? 'fp32', null),
    inputNormalization: saelensNormalization(config),
    d: config.d_in,
    dOut: config.d_out ?? config.d_in,
    features: config.d_sae,
    config,
    conventions,
    hookName: conventions.hookName ?? '',
    targetHookName: conventions.targetHookName ?? '',
  })
}

/** Adds the functions to an autoencoder. */
function loadedSae(sae: Sae): LoadedSae {
  const free = () => unloadSae(sae)
  return {
    ...sae,
    encode: (x) => withRows(sae, x, (rows) => encode(sae, rows)),
    decode: async (codes, x) => {
      const { kernels, dOut } = sae
      const xHat = kernels.zeros([codes.rowOffsets.length - 1, dOut])
      try {
        const decoded = async (rows: Tensor | null) => {
          decode(sae, xHat, codes, rows)
          return { shape: [...xHat.shape], data: await kernels.readF32(xHat) }
        }
        return await (x === undefined ? decoded(null) : withRows(sae, x, decoded))
      } finally {
        kernels.free(xHat)
      }
    },
    free,
    [Symbol.dispose]: free,
  }
}

/** Hands over activations as a tensor [N, D], and frees it where it was made for that. */
async function withRows<R>(
  { kernels, d }: Sae,
  x: NdArray | Tensor,
  use: (rows: Tensor) => Promise<R>,
): Promise<R> {
  if (!('data' in x)) return use(x)
  if (x.shape.at(-1) !== d || x.data.length % d !== 0)
    throw new MonosemError('shape', `sae: expected activations [..., ${d}], got [${x.shape.join(', ')}]`, {
      hint: 'does the autoencoder read this hook point?',
    })
  const rows = kernels.tensor(x.data, [x.data.length / d, d])
  try {
    return await use(rows)
  } finally {
    kernels.free(rows)
  }
}

/** The active features of x [N, D]; of a spread autoencoder those of this rank. */
export function encode(sae: SaeParts, x: Tensor): Promise<Codes> {
  const { kernels, params, form, packed, ranks } = sae
  const input = normalizeInput(sae, x)
  const codes = kernels.saeEncode(params, input.x, form, packed, ranks)
  input.free()
  return codes
}

/**
 * A few features of every token, without the rest: activations [N, n] of the features `featureIds`, zeros included. For topk they are
 * those of relu: which ones are among the k largest takes all features to know. Enqueues only; the caller frees the result.
 */
export function encodeRows(sae: SaeParts, x: Tensor, featureIds: Int32Array): Tensor {
  const { kernels, params, form } = sae
  const out = kernels.zeros([x.shape[0], featureIds.length])
  const input = normalizeInput(sae, x)
  kernels.saeEncodeFeatures(out, params, input.x, featureIds, form)
  input.free()
  return out
}

/**
 * xHat [N, Dout] = W_dec f + b_dec (+ x W_skip), in the units of x. Enqueues only.
 * @param x [N, D] what was encoded; only a skip connection and normalised inputs need it
 * @throws MonosemError shape (no x where it is needed)
 */
export function decode(sae: SaeParts, xHat: Tensor, codes: Codes, x: Tensor | null = null): void {
  const { kernels, params, ranks } = sae
  const tokens = tokenScales(sae, x)
  kernels.saeDecode(xHat, params, codes, x, ranks)
  denormalize(kernels, xHat, tokens)
  tokens?.free()
}

/**
 * xHat [N, Dout] = decode(encode(x)), and losses [N] = ||y - xHat||^2 unless null. xHat may be x or y itself. Enqueues only.
 * @param y [N, Dout] what is reconstructed: x itself but for transcoders
 */
export function reconstruct(
  sae: SaeParts,
  xHat: Tensor,
  losses: Tensor | null,
  x: Tensor,
  y: Tensor = x,
): void {
  const { kernels, params, form, packed, ranks } = sae
  if (sae.inputNormalization === 'none') {
    kernels.saeReconstruct(xHat, losses, params, x, y, form, packed, ranks)
    return
  }
  const input = normalizeInput(sae, x)
  const found = input.x
  kernels.saeReconstruct(found, null, params, input.x, found, form, packed, ranks)
  denormalize(kernels, found, input.tokens)
  if (losses) kernels.saeSquaredErrors(losses, y, found)
  kernels.copy(xHat, found)
  input.free()
}

/** Gives the memory back. */
export function unloadSae({ kernels, params, packed }: SaeParts): void {
  freeSae(kernels, params)
  kernels.saeFreePacked(packed)
}
