import { join } from 'node:path'
import { parseConfig } from '../config/parse-config.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type ResolvedSaeConfig, type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import { trainSaes } from '../sae/sae-stage.js'
import { openStage } from '../storage/open-stage.js'
import { openSaeSource } from './sae-source.js'
import type { Session } from './session.js'

/** "512,1024" as numbers, ascending, each once. @throws MonosemError config */
export function readSizes(text: string): number[] {
  const sizes = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : 0))
  if (sizes.some((size) => size < 1))
    throw new MonosemError('config', `--sizes: expected numbers of features, got ${JSON.stringify(text)}`, {
      hint: 'for example --sizes 512,1024,4096',
    })
  return [...new Set(sizes)].sort((a, b) => a - b)
}

/**
 * Directories of a run's autoencoder in other sizes: `<run>/sizes/<features>`. Those that are missing are trained together, on the stream and with
 * the options of the run's own autoencoder, which is used itself where its size and number of tokens are asked for.
 * @param trainTokens text of `--train-tokens`; default: those of the run's own
 * @throws MonosemError missing (no finished autoencoder in the run), config, and those of `trainSaes`
 */
export async function trainSizes(
  session: Session,
  run: string,
  sizes: readonly number[],
  trainTokens?: string,
): Promise<string[]> {
  const own = await openStage<ResolvedSaeConfig>(join(run, 'sae'), 'sae')
  if (own.config.features === undefined)
    throw new MonosemError(
      'config',
      `--sizes: expected an autoencoder that was trained, got a converted one in ${run}/sae`,
      {
        hint: 'train the sizes with monosem sae sweep, and name their directories',
      },
    )
  const base = parseConfig(
    saeConfigSchema,
    { ...own.config, ...(trainTokens !== undefined && { trainTokens: Number(trainTokens) }) },
    (field) => (field === 'trainTokens' ? '--train-tokens' : `${run}/sae ${field}`),
  )
  const isOwn = (size: number): boolean =>
    size === own.config.features && base.trainTokens === own.config.trainTokens
  const directory = (size: number): string => join(run, isOwn(size) ? 'sae' : join('sizes', String(size)))
  const wanted = sizes.filter((size) => !isOwn(size))
  if (wanted.length > 0) {
    const inputs = { corpus: join(run, 'corpus'), model: join(run, 'model') }
    const kernels = await session.kernels()
    const source = await openSaeSource(kernels, base, inputs)
    const requests = wanted.map((size) => ({ config: resized(base, own.config, size), out: directory(size) }))
    await trainSaes(requests, { source, inputs }, { ...session.context, kernels })
  }
  return sizes.map(directory)
}

/**
 * The same options for another number of features; nested prefixes keep their shares. Each size has a seed of its own: with the same one, features of
 * the same id would start from the same direction, and a match between sizes could be one of initial weights.
 */
const resized = (base: SaeConfig, own: ResolvedSaeConfig, features: number): SaeConfig => ({
  ...base,
  features,
  seed: own.seed + features,
  streamSeed: own.streamSeed,
  prefixes: own.prefixes.map((prefix) => prefix / own.features),
})
