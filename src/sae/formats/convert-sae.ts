import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { indexEnding } from '../../formats/safetensors-index.js'
import { sha256File, storageError } from '../../storage/atomic-file.js'
import { type Json, runStage, type StageResult } from '../../storage/stage.js'
import { type ReadSae, type ReadSaeOptions, readSae } from './read-sae.js'
import { saelensWeights, writeSaelens } from './saelens.js'
import { type SaelensConfig, saelensArchitecture, saelensKnows, saelensVersion } from './saelens-config.js'

/** What a conversion has made. */
export interface SaeConversion extends StageResult {
  /** what was read */
  read: ReadSae
  /** SHA-256 of each file that was read, by name */
  sourceFiles: Record<string, string>
  /** whether the weights are several files: SAELens reads a single one */
  sharded: boolean
  /** whether SAELens has this architecture, and the weights are one file: it loads the directory, and f and x_hat mean the same there */
  saelensLoadsIt: boolean
}

export interface ConvertSaeOptions extends ReadSaeOptions {
  /** bytes of weights beyond which they are several files with an index. Default 5e9; Infinity: always one */
  shardBytes?: number
}

/**
 * Reads an autoencoder in any layout and writes it as a SAELens v6 directory, which is also a finished `sae` directory of ours. What the
 * weights do not say, and where they came from, is kept under `monosem` in cfg.json. Read back, f and x_hat are the same bits as those of the
 * files it was made from, because what is folded into weights is folded on reading, before either is computed.
 *
 * A directory that is there already is left alone: made from the same files it is reused, otherwise this is an error.
 * @throws MonosemError missing, format, corrupt, config (the output is there and is something else), busy, io, remote
 */
export async function convertSae(
  source: string,
  out: string,
  { shardBytes, ...options }: ConvertSaeOptions = {},
): Promise<SaeConversion> {
  const read = await readSae(source, options)
  const sourceFiles: Record<string, string> = {}
  for (const path of read.files) sourceFiles[basename(path)] = await sha256File(path)
  const config = convertedConfig(read, sourceFiles)
  const request = {
    stage: 'sae',
    out,
    config: { convertedFrom: config.monosem?.convertedFrom as Json, cfg: config as unknown as Json },
    inputs: {},
  }
  const result = await runStage(request, async (partial, hashed) => {
    await writeSaelens(partial, { config, arrays: read.arrays, shardBytes, hashed })
    await copySparsity(read, partial)
  })
  const sharded = existsSync(join(result.directory, `${saelensWeights}${indexEnding}`))
  return {
    ...result,
    read,
    sourceFiles,
    sharded,
    saelensLoadsIt: !sharded && saelensKnows(saelensArchitecture(config)),
  }
}

/** cfg.json of the converted autoencoder. */
function convertedConfig(
  { config, conventions, source }: ReadSae,
  files: Record<string, string>,
): SaelensConfig {
  const { format, activation: _, k: __, ...known } = conventions
  // these have keys of their own in cfg.json
  const {
    hookName: _hook,
    targetHookName: _target,
    modelName: _model,
    reshapeActivations: _z,
    ...rest
  } = known
  return {
    ...config,
    dtype: 'float32',
    device: 'cpu',
    metadata: { ...config.metadata, sae_lens_version: config.metadata.sae_lens_version ?? saelensVersion },
    monosem: {
      ...config.monosem,
      ...rest,
      convertedFrom: {
        format,
        ...(source.repository !== null && { name: source.name }),
        repository: source.repository,
        commit: source.commit,
        files,
      },
    },
  }
}

/** How often features fire belongs to SAELens's directories; it stays as it is. */
async function copySparsity({ files }: ReadSae, partial: string): Promise<void> {
  const from = join(dirname(files[0]), 'sparsity.safetensors')
  if (!existsSync(from)) return
  try {
    await copyFile(from, join(partial, 'sparsity.safetensors'))
  } catch (cause) {
    throw storageError('copy', from, cause)
  }
}
