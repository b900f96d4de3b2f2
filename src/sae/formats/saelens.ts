import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import { writeSafetensors } from '../../formats/safetensors.js'
import { writeFileAtomic } from '../../storage/atomic-file.js'
import { foldDecoderNorms, foldInputScale } from '../fold.js'
import type { SaeArrays, SaeParamName } from '../sae-params.js'
import { openWeights } from './open-weights.js'
import { readJsonObject } from './read-json.js'
import type { SaeConventions, SaeFile } from './sae-file.js'
import {
  checkSaelensConfig,
  type SaelensConfig,
  saelensArchitecture,
  saelensForm,
  saelensNormalization,
} from './saelens-config.js'
import { fromFlatConfig, isFlatConfig } from './saelens-flat-config.js'
import { createWeightReader, transpose, type WeightFile, type WeightReader } from './weight-reader.js'

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

export interface ReadSaelensOptions {
  /**
   * s: what activations are multiplied by where cfg.json says `expected_average_only_in`, sqrt(D) / mean ||x||. Default: the factor in
   * activation_scaler.json; SAELens keeps it nowhere else
   */
  activationScale?: number
}

/**
 * Reads a SAELens directory of v6, or of an older version with everything at the top of cfg.json. What can be folded into the weights is:
 * the norm of each decoder row where TopK ranks by z ||d||, exactly; a factor for all activations; thresholds below 0 count as 0, as they do
 * there. `config` describes the weights after that.
 * @throws MonosemError missing, format, corrupt, io
 */
export async function readSaelens(directory: string, options: ReadSaelensOptions = {}): Promise<SaeFile> {
  const file = await openWeights(join(directory, 'sae_weights.safetensors'))
  try {
    const cfgPath = join(directory, 'cfg.json')
    return await readSaelensFile(file, cfgPath, await readJsonObject(cfgPath), options)
  } finally {
    await file.close()
  }
}

/** The same of an open file of weights and a parsed cfg.json. */
export async function readSaelensFile(
  file: WeightFile,
  cfgPath: string,
  json: Record<string, unknown>,
  options: ReadSaelensOptions = {},
): Promise<SaeFile> {
  const stored = checkSaelensConfig(isFlatConfig(json) ? fromFlatConfig(json, cfgPath) : json, cfgPath)
  const weights = createWeightReader(file, `a ${stored.architecture} autoencoder of SAELens`)
  const arrays = await readArrays(weights, stored)
  const config = { ...stored }
  if (stored.rescale_acts_by_decoder_norm && saelensArchitecture(stored).kind === 'topk') {
    foldDecoderNorms(arrays)
    config.rescale_acts_by_decoder_norm = false
  }
  if (arrays.threshold) arrays.threshold = arrays.threshold.map((theta) => Math.max(0, theta))
  let scale = 1
  if (stored.normalize_activations === 'expected_average_only_in') {
    scale = options.activationScale ?? (await storedScale(join(cfgPath, '..'), cfgPath))
    foldInputScale(arrays, scale, scale)
    config.normalize_activations = 'none'
  }
  return {
    config,
    arrays,
    conventions: saelensConventions(stored, weights.dtype(), scale),
    warnings: weights.warnings(),
  }
}

async function readArrays(weights: WeightReader, config: SaelensConfig): Promise<SaeArrays> {
  const arrays: Partial<SaeArrays> = {}
  for (const { param, name, shape, transposed } of storedTensors(config))
    arrays[param] = transposed
      ? await weights.takeTransposed(name, shape as [number, number])
      : await weights.take(name, shape)
  for (const name of ['scaling_factor', 'finetuning_scaling_factor'])
    if (weights.has(name)) await foldFinetuning(weights, name, config, arrays as SaeArrays)
  weights.finish()
  return arrays as SaeArrays
}

/** A factor for each feature between its activation and its decoder row, which SAELens before v6 could train at the end. */
async function foldFinetuning(
  weights: WeightReader,
  name: string,
  config: SaelensConfig,
  { wDec }: SaeArrays,
): Promise<void> {
  const factors = await weights.take(name, [config.d_sae])
  if (factors.every((factor) => factor === 1)) return
  if (config.finetuning_scaling_factor !== true)
    throw new MonosemError(
      'format',
      `${weights.path}: ${name} is not 1 everywhere, and cfg.json does not say finetuning_scaling_factor`,
    )
  const width = wDec.length / factors.length
  for (let i = 0; i < wDec.length; i++) wDec[i] *= factors[Math.floor(i / width)]
}

/** The factor that SAELens keeps beside a checkpoint whose weights expect scaled activations. */
async function storedScale(directory: string, cfgPath: string): Promise<number> {
  const path = join(directory, 'activation_scaler.json')
  const scale = existsSync(path) ? (await readJsonObject(path)).scaling_factor : undefined
  if (typeof scale === 'number' && scale > 0) return scale
  throw new MonosemError(
    'format',
    `${cfgPath}: normalize_activations is expected_average_only_in, and the factor is not in ${path}`,
    {
      hint: 'pass --activation-scale: sqrt(D) / mean ||x|| of the text it was trained on, or 1 to read the weights as they are',
    },
  )
}

/**
 * What a checked cfg.json says about an autoencoder.
 * @param dtype number formats of the weights on disk
 * @param scale factor of all activations that was folded into the weights on reading
 */
export function saelensConventions(config: SaelensConfig, dtype = 'F32', scale = 1): SaeConventions {
  const { kind } = saelensArchitecture(config)
  const { activation, subtractDecoderBias } = saelensForm(config)
  const normalization = saelensNormalization(config)
  const { hook_name: hookName, hook_name_out: targetHookName, model_name: modelName } = config.metadata
  const rescaled = kind === 'topk' && config.rescale_acts_by_decoder_norm === true
  const units = normalization !== 'none' ? 'normalized' : scale !== 1 ? 'scaled' : 'raw'
  // what Monosem wrote knows more: how training scaled, and the units of what it was converted from
  const known = config.monosem
  return {
    format: 'saelens',
    architecture: known?.architecture ?? config.architecture,
    activation: kind,
    k: 'k' in activation ? activation.k : null,
    subtractDecoderBias,
    inputNormalization: normalization,
    activationScale: scale * (known?.activationScale ?? 1),
    targetScale: scale * (known?.targetScale ?? known?.activationScale ?? 1),
    featureUnits: known?.featureUnits ?? units,
    thresholdSpace: kind === 'jumprelu' ? 'pre-activation' : 'none',
    decoderNorms: rescaled ? 'folded' : 'as stored',
    reshapeActivations: config.reshape_activations as SaeConventions['reshapeActivations'],
    dtype,
    hookName: hookName ?? null,
    targetHookName: targetHookName ?? hookName ?? null,
    modelName: modelName ?? null,
  }
}
