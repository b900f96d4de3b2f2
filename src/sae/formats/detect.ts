import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, sep } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import { indexEnding } from '../../formats/safetensors-index.js'
import { storageError } from '../../storage/atomic-file.js'
import { openWeights, weightExtensions } from './open-weights.js'
import { readJsonObject } from './read-json.js'
import type { SaeFormat } from './sae-file.js'
import { listNames, type WeightFile } from './weight-reader.js'

/** A configuration beside the weights. */
export interface ConfigFile {
  path: string
  content: Record<string, unknown>
}

/** What the files themselves say about an autoencoder. */
export interface Detected {
  format: SaeFormat
  /** what was seen that decided */
  reason: string
  /** directory of the configuration (or of the weights where there is none) */
  directory: string
  /** open; the caller closes it */
  weights: WeightFile
  config: ConfigFile | null
}

/** What is looked at to decide: names of tensors, and keys of the configuration. */
interface Evidence {
  weights: WeightFile
  /** name of the configuration; '' without one */
  configName: string
  config: Record<string, unknown>
}

/** A layout is recognised by tensors that only it has, together with its configuration. */
interface Signature {
  format: SaeFormat
  /** what was seen, or null */
  matches(evidence: Evidence): string | null
}

const hasAll = ({ weights }: Evidence, ...names: string[]): boolean =>
  names.every((name) => weights.entries.has(name) || name in weights.values)

const signatures: readonly Signature[] = [
  {
    format: 'saelens',
    matches: (seen) =>
      seen.weights.container === 'safetensors' &&
      hasAll(seen, 'W_enc', 'W_dec') &&
      seen.configName === 'cfg.json' &&
      'd_in' in seen.config &&
      'd_sae' in seen.config
        ? `cfg.json with d_in and d_sae${'metadata' in seen.config ? '' : ', flat as before v6'}${'monosem' in seen.config ? ', written by Monosem' : ''}; W_enc and W_dec`
        : null,
  },
  {
    format: 'sparsify',
    matches: (seen) =>
      hasAll(seen, 'encoder.weight', 'W_dec') && seen.configName === 'cfg.json' && 'k' in seen.config
        ? 'cfg.json with k; encoder.weight and W_dec'
        : null,
  },
  {
    format: 'gemma-scope-2',
    matches: (seen) =>
      seen.weights.container === 'safetensors' && hasAll(seen, 'w_enc', 'w_dec', 'threshold')
        ? `w_enc, w_dec and threshold${hasAll(seen, 'affine_skip_connection') ? ', affine_skip_connection' : ''}`
        : null,
  },
  {
    format: 'gemma-scope',
    matches: (seen) =>
      seen.weights.container === 'npz' && hasAll(seen, 'W_enc', 'W_dec', 'threshold')
        ? 'an npz archive of W_enc, W_dec and threshold'
        : null,
  },
  {
    format: 'llama-scope',
    matches(seen) {
      const tensors = hasAll(seen, 'W_E', 'W_D')
        ? 'W_E and W_D'
        : hasAll(seen, 'encoder.weight', 'decoder.weight')
          ? 'encoder.weight and decoder.weight'
          : null
      return seen.weights.container === 'safetensors' && tensors && 'd_model' in seen.config
        ? `${seen.configName} with d_model; ${tensors}`
        : null
    },
  },
  {
    format: 'openai',
    matches: (seen) =>
      seen.weights.container === 'pt' && hasAll(seen, 'pre_bias', 'latent_bias')
        ? 'a PyTorch file of pre_bias and latent_bias'
        : null,
  },
  {
    format: 'dictionary_learning',
    matches(seen) {
      if (seen.weights.container !== 'pt' || hasAll(seen, 'pre_bias')) return null
      const trainer = seen.config.trainer as { dict_class?: unknown } | undefined
      if (trainer?.dict_class !== undefined) return `config.json with dict_class ${trainer.dict_class}`
      return hasAll(seen, 'encoder.weight', 'decoder.weight') || hasAll(seen, 'W_enc', 'W_dec', 'b_dec')
        ? 'a PyTorch file of the tensors of its dictionaries, without config.json'
        : null
    },
  },
]

/**
 * Decides from the files of a directory, or from one file of weights and what lies beside it, in which layout an autoencoder is.
 * @throws MonosemError missing (no files of weights), format (nothing fits, or more than one), corrupt, io
 */
export async function detectSae(path: string): Promise<Detected> {
  const { directory, weightPath } = await findWeights(path)
  const weights = await openWeights(weightPath)
  try {
    const config = await findConfig(directory)
    const evidence = {
      weights,
      configName: config ? basename(config.path) : '',
      config: config?.content ?? {},
    }
    const found = signatures.flatMap(({ format, matches }) => {
      const reason = matches(evidence)
      return reason === null ? [] : [{ format, reason }]
    })
    if (found.length !== 1) throw undecided(weights, config, found)
    const [{ format, reason }] = found
    return { format, reason: `${basename(weightPath)}: ${reason}`, directory, weights, config }
  } catch (error) {
    await weights.close()
    throw error
  }
}

/** Names under which programs save weights; other PyTorch files and archives count too. */
const usualNames = [
  ...['sae_weights.safetensors', `sae_weights${indexEnding}`],
  ...['sae.safetensors', 'params.safetensors', 'params.npz', 'ae.pt'],
  join('checkpoints', 'final.safetensors'),
]

/** Whether a file of a repository belongs to the autoencoder in its folder, by its path there. */
export function isSaeFile(path: string): boolean {
  const usual = usualNames.some((name) => name.replaceAll(sep, '/') === path)
  const loose = !path.includes('/') && ['.pt', '.pth', '.npz'].includes(extname(path))
  const shard = /^sae_weights-\d+-of-\d+\.safetensors$/.test(path)
  return (
    usual ||
    loose ||
    shard ||
    [...configNames, 'activation_scaler.json', 'sparsity.safetensors'].includes(path)
  )
}

/** The one file of weights. */
async function findWeights(path: string): Promise<{ directory: string; weightPath: string }> {
  const info = await stat(path).catch((cause) => {
    throw storageError('open', path, cause)
  })
  if (info.isFile()) return { directory: configDirectory(path), weightPath: path }
  const names = (await readdir(path)).sort()
  const loose = names.filter((name) => ['.pt', '.pth', '.npz'].includes(extname(name)))
  const found = [...new Set([...usualNames.filter((name) => existsSync(join(path, name))), ...loose])]
  if (found.length === 1) return { directory: path, weightPath: join(path, found[0]) }
  if (found.length > 1)
    throw new MonosemError('format', `${path}: expected one autoencoder, got ${listNames(found)}`, {
      hint: 'name the file of weights instead of the directory',
    })
  throw await noWeights(path, names)
}

/** Llama Scope keeps its weights in checkpoints/, below the configuration. */
const configDirectory = (weightPath: string): string => {
  const directory = dirname(weightPath)
  return basename(directory) === 'checkpoints' && existsSync(join(directory, '..', 'hyperparams.json'))
    ? dirname(directory)
    : directory
}

async function noWeights(path: string, names: readonly string[]): Promise<MonosemError> {
  const below = await foldersWithWeights(path, names)
  if (below.length > 0)
    return new MonosemError(
      'format',
      `${path}: expected one autoencoder, got a folder of ${below.length}: ${listNames(below)}`,
      {
        hint: `name one of them: ${join(path, below[0])}`,
      },
    )
  return new MonosemError('missing', `${path}: expected a file of weights, got ${listNames(names)}`, {
    hint: `files of weights are ${usualNames.join(', ')}, or end in ${weightExtensions.slice(1).join(', ')}`,
  })
}

/**
 * The autoencoders in a folder of several, as paths in it; none where it is one itself, or is no directory of this disk.
 */
export async function listSaes(path: string): Promise<string[]> {
  const info = await stat(path).catch(() => null)
  if (!info?.isDirectory() || usualNames.some((name) => existsSync(join(path, name)))) return []
  return foldersWithWeights(path)
}

/** Folders of a directory, with those below them, that hold an autoencoder each: as sparsify saves several hook points. */
async function foldersWithWeights(path: string, names?: readonly string[], depth = 3): Promise<string[]> {
  const found: string[] = []
  for (const name of names ?? (await readdir(path)).sort()) {
    const folder = join(path, name)
    if (!(await stat(folder)).isDirectory()) continue
    if (usualNames.some((file) => existsSync(join(folder, file)))) found.push(name)
    else if (depth > 1)
      found.push(
        ...(await foldersWithWeights(folder, undefined, depth - 1)).map((below) => join(name, below)),
      )
  }
  return found
}

const configNames = ['cfg.json', 'config.json', 'hyperparams.json']

async function findConfig(directory: string): Promise<ConfigFile | null> {
  for (const name of configNames) {
    const path = join(directory, name)
    if (existsSync(path)) return { path, content: await readJsonObject(path) }
  }
  return null
}

function undecided(
  weights: WeightFile,
  config: ConfigFile | null,
  found: readonly { format: SaeFormat; reason: string }[],
): MonosemError {
  const tensors = `tensors ${listNames(weights.entries.keys())}`
  const keys = config
    ? `${basename(config.path)} with ${listNames(Object.keys(config.content))}`
    : 'no configuration'
  const what =
    found.length === 0
      ? 'expected the layout of an autoencoder that Monosem knows'
      : `expected one layout, got ${found.map(({ format, reason }) => `${format} (${reason})`).join(' and ')}`
  return new MonosemError('format', `${weights.path}: ${what}; saw ${tensors}; ${keys}`, {
    hint: `Monosem reads ${signatures.map(({ format }) => format).join(', ')}`,
  })
}
