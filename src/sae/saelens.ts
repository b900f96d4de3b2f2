import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { readSafetensors, type SafeTensor, writeSafetensors } from '../formats/safetensors.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { rowNorm, type SaeArrays } from './sae-params.js'
import { checkSaelensConfig, type SaelensConfig } from './saelens-config.js'

/** An autoencoder as a SAELens v6 directory holds it, with our layout of the weights and in our form
 * f = activation(W_enc (x - b_dec) + b_enc), x_hat = W_dec f + b_dec. */
export interface SaelensSae {
  config: SaelensConfig
  arrays: SaeArrays
}

/**
 * Writes cfg.json, sae_weights.safetensors and, when frequencies are given, sparsity.safetensors.
 * @param frequencies [F] share of the tokens on which each feature is active
 * @throws MonosemError format (a kind that Monosem does not have), shape, io
 */
export async function writeSaelens(
  directory: string,
  { config, arrays }: SaelensSae,
  frequencies?: ArrayLike<number>,
): Promise<void> {
  const cfgPath = join(directory, 'cfg.json')
  checkSaelensConfig(config, cfgPath)
  const { d_in: d, d_sae: features } = config
  await writeSafetensors(join(directory, 'sae_weights.safetensors'), {
    W_enc: { shape: [d, features], data: transpose(arrays.wEnc, features, d) },
    b_enc: { shape: [features], data: arrays.bEnc },
    W_dec: { shape: [features, d], data: arrays.wDec },
    b_dec: { shape: [d], data: arrays.bDec },
  })
  if (frequencies) {
    const sparsity = Float32Array.from(frequencies, (frequency) => Math.log10(frequency + 1e-10))
    await writeSafetensors(join(directory, 'sparsity.safetensors'), {
      sparsity: { shape: [features], data: sparsity },
    })
  }
  await writeFileAtomic(cfgPath, `${JSON.stringify(config, null, 2)}\n`)
}

/**
 * Reads a SAELens v6 directory of architecture standard or topk. What differs from our form is folded into the weights, exactly:
 * where b_dec is not subtracted from the input, b_enc grows by W_enc b_dec; where TopK ranks by z ||d||, the norm of each
 * decoder row moves into its encoder row and bias. `config` is what was read, untouched.
 * @throws MonosemError missing, format, corrupt, io
 */
export async function readSaelens(directory: string): Promise<SaelensSae> {
  const config = await readConfig(join(directory, 'cfg.json'))
  const path = join(directory, 'sae_weights.safetensors')
  const { tensors } = await readSafetensors(path)
  const { d_in: d, d_sae: features } = config
  const arrays: SaeArrays = {
    wEnc: transpose(weights(path, tensors, 'W_enc', [d, features]), d, features),
    bEnc: weights(path, tensors, 'b_enc', [features]),
    wDec: weights(path, tensors, 'W_dec', [features, d]),
    bDec: weights(path, tensors, 'b_dec', [d]),
  }
  if (config.architecture === 'topk' && config.rescale_acts_by_decoder_norm) foldDecoderNorms(arrays)
  if (!config.apply_b_dec_to_input) foldDecoderBias(arrays)
  return { config, arrays }
}

async function readConfig(path: string): Promise<SaelensConfig> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new MonosemError('format', `${path}: expected JSON`, { cause, hint: 'check the path' })
  }
  return checkSaelensConfig(value, path)
}

function weights(
  path: string,
  tensors: Record<string, SafeTensor>,
  name: string,
  shape: number[],
): Float32Array {
  const tensor = tensors[name]
  if (!tensor) throw new MonosemError('format', `${path}: expected a tensor ${name} [${shape}], got none`)
  if (!(tensor.data instanceof Float32Array) || String(tensor.shape) !== String(shape))
    throw new MonosemError(
      'format',
      `${path}: expected ${name} F32 [${shape}], got ${tensor.dtype} [${tensor.shape}]`,
      { hint: 'cfg.json and the weights do not belong together' },
    )
  return tensor.data
}

/** W_enc x + b_enc = W_enc (x - b_dec) + (b_enc + W_enc b_dec) */
function foldDecoderBias({ wEnc, bEnc, bDec }: SaeArrays): void {
  const d = bDec.length
  for (let j = 0; j < bEnc.length; j++) {
    let sum = bEnc[j]
    for (let c = 0; c < d; c++) sum += wEnc[j * d + c] * bDec[c]
    bEnc[j] = sum
  }
}

/** With n = ||W_dec row||, f = n z decoded by row / n gives the same x_hat as z decoded by the row. */
function foldDecoderNorms({ wEnc, bEnc, wDec, bDec }: SaeArrays): void {
  const d = bDec.length
  for (let j = 0; j < bEnc.length; j++) {
    const norm = rowNorm(wDec.subarray(j * d, (j + 1) * d))
    if (norm === 0) continue
    bEnc[j] *= norm
    for (let i = j * d; i < (j + 1) * d; i++) {
      wEnc[i] *= norm
      wDec[i] /= norm
    }
  }
}

/** [rows, columns] to [columns, rows] */
function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = matrix[r * columns + c]
  return out
}
