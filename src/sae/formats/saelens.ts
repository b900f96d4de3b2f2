import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { singleRank } from '../../distributed/communicator.js'
import { sliceOf } from '../../distributed/mesh.js'
import { MonosemError } from '../../errors/monosem-error.js'
import { elementCount } from '../../formats/element-count.js'
import { indexEnding } from '../../formats/safetensors-index.js'
import { writeFileAtomic } from '../../storage/atomic-file.js'
import { foldDecoderNorms, foldInputScale } from '../fold.js'
import type { SaeArrays } from '../sae-params.js'
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
import { storedTensors } from './saelens-tensors.js'
import { type StoreOptions, storeTensors } from './store-tensors.js'
import { createWeightReader, type WeightFile, type WeightReader } from './weight-reader.js'

/** An autoencoder as a SAELens v6 directory holds it, with our layout of the weights. `saelensForm` has its forward pass. */
export interface SaelensSae {
  config: SaelensConfig
  arrays: SaeArrays
}

/** What is written: an autoencoder, or the part of it that this rank has. */
export interface SaelensPart extends SaelensSae, StoreOptions {}

/** Name of the file of weights, without its extension: shards and their index begin with it. */
export const saelensWeights = 'sae_weights'

/**
 * Writes cfg.json, sae_weights.safetensors (past 5 GB in shards) and, when frequencies are given, sparsity.safetensors. With several ranks all of
 * them call it and rank 0 writes, a tile at a time: no rank ever holds the whole, and the files are those of a single rank to the byte.
 * @param frequencies [Fr] share of the tokens on which each feature of this rank is active
 * @throws MonosemError format (a kind that Monosem does not have), shape, io
 */
export async function writeSaelens(
  directory: string,
  { config, arrays, ...options }: SaelensPart,
  frequencies?: ArrayLike<number>,
): Promise<void> {
  const cfgPath = join(directory, 'cfg.json')
  checkSaelensConfig(config, cfgPath)
  const { ranks = singleRank } = options
  const own = sliceOf(config.d_sae, ranks).count
  const tensors = storedTensors(config).map((stored) => {
    const array = arrays[stored.param]
    const shape = stored.shape.map((size, axis) => (axis === stored.featureAxis ? own : size))
    if (array?.length !== elementCount(shape))
      throw new MonosemError(
        'shape',
        `${cfgPath}: expected ${stored.name} [${shape}], got ${array?.length ?? 'no'} numbers`,
      )
    return { ...stored, array }
  })
  await storeTensors(directory, saelensWeights, tensors, options)
  if (frequencies) {
    const array = Float32Array.from(frequencies, (frequency) => Math.log10(frequency + 1e-10))
    const sparsity = {
      name: 'sparsity',
      shape: [config.d_sae],
      featureAxis: 0 as const,
      transposed: false,
      array,
    }
    await storeTensors(directory, 'sparsity', [sparsity], options)
  }
  if (ranks.rank === 0) await writeFileAtomic(cfgPath, `${JSON.stringify(config, null, 2)}\n`)
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
  const single = join(directory, `${saelensWeights}.safetensors`)
  const index = join(directory, `${saelensWeights}${indexEnding}`)
  const file = await openWeights(!existsSync(single) && existsSync(index) ? index : single)
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
