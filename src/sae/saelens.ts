import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { readSafetensors, type SafeTensor, writeSafetensors } from '../formats/safetensors.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { foldDecoderNorms } from './fold.js'
import type { SaeArrays, SaeParamName } from './sae-params.js'
import { checkSaelensConfig, type SaelensConfig, saelensArchitecture } from './saelens-config.js'

/** An autoencoder as a SAELens v6 directory holds it, with our layout of the weights. `saelensForm` has its forward pass. */
export interface SaelensSae {
  config: SaelensConfig
  arrays: SaeArrays
}

/** A parameter as the file holds it. */
interface Stored {
  param: SaeParamName
  name: string
  shape: number[]
  /** whether our layout is [columns, rows] of `shape` */
  transposed: boolean
}

/** The tensors of a configuration's sae_weights.safetensors. */
function storedTensors(config: SaelensConfig): Stored[] {
  const { d_in: d, d_sae: features, d_out: dOut = d } = config
  const { kind, skip } = saelensArchitecture(config)
  const stored = (param: SaeParamName, name: string, shape: number[], transposed = false): Stored => ({
    param,
    name,
    shape,
    transposed,
  })
  return [
    stored('wEnc', 'W_enc', [d, features], true),
    stored('bEnc', kind === 'gated' ? 'b_gate' : 'b_enc', [features]),
    stored('wDec', 'W_dec', [features, dOut]),
    stored('bDec', 'b_dec', [dOut]),
    ...(kind === 'jumprelu' ? [stored('threshold', 'threshold', [features])] : []),
    ...(kind === 'gated' ? [stored('rMag', 'r_mag', [features]), stored('bMag', 'b_mag', [features])] : []),
    ...(skip ? [stored('wSkip', 'W_skip', [dOut, d], true)] : []),
  ]
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
  const tensors = storedTensors(config).map(({ param, name, shape, transposed }) => {
    const array = arrays[param]
    if (array?.length !== shape.reduce((a, b) => a * b, 1))
      throw new MonosemError(
        'shape',
        `${cfgPath}: expected ${name} [${shape}], got ${array?.length ?? 'no'} numbers`,
      )
    return [name, { shape, data: transposed ? transpose(array, shape[1], shape[0]) : array }]
  })
  await writeSafetensors(join(directory, 'sae_weights.safetensors'), Object.fromEntries(tensors))
  if (frequencies) {
    const sparsity = Float32Array.from(frequencies, (frequency) => Math.log10(frequency + 1e-10))
    await writeSafetensors(join(directory, 'sparsity.safetensors'), {
      sparsity: { shape: [config.d_sae], data: sparsity },
    })
  }
  await writeFileAtomic(cfgPath, `${JSON.stringify(config, null, 2)}\n`)
}

/**
 * Reads a SAELens v6 directory. Where TopK ranks by z ||d||, the norm of each decoder row is moved into its encoder row and bias,
 * exactly; thresholds below 0 count as 0, as they do there. `config` is what was read, untouched.
 * @throws MonosemError missing, format, corrupt, io
 */
export async function readSaelens(directory: string): Promise<SaelensSae> {
  const config = await readConfig(join(directory, 'cfg.json'))
  const path = join(directory, 'sae_weights.safetensors')
  const { tensors } = await readSafetensors(path)
  const read = storedTensors(config).map(({ param, name, shape, transposed }) => {
    const data = weights(path, tensors, name, shape)
    return [param, transposed ? transpose(data, shape[0], shape[1]) : data]
  })
  const arrays = Object.fromEntries(read) as SaeArrays
  if (config.rescale_acts_by_decoder_norm && saelensArchitecture(config).kind === 'topk')
    foldDecoderNorms(arrays)
  if (arrays.threshold) arrays.threshold = arrays.threshold.map((theta) => Math.max(0, theta))
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

/** [rows, columns] to [columns, rows] */
function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = matrix[r * columns + c]
  return out
}
