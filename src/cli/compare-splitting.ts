import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { renderSplitting } from '../compare/render-splitting.js'
import { splittingConfigSchema } from '../compare/splitting-config.js'
import { readSplittingSummary } from '../compare/splitting-file.js'
import { runSplittingStage, type SplittingPaths } from '../compare/splitting-stage.js'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { firstTexts } from '../explain/feature-explanations.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { openStage } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { explanationsOf } from './feature-findings.js'
import { madeOrReused } from './outcome.js'
import { addOptionalPaths, addPaths, optionalPath, readPaths } from './run-paths.js'
import type { Session } from './session.js'
import { readSizes, trainSizes } from './train-sizes.js'

/** `monosem compare splitting` */
export function addCompareSplitting(compare: Command): void {
  const command = addCommand(
    compare,
    'splitting',
    {
      description:
        'Which features of a small autoencoder become which of a larger one: match them by decoder and by activation on the same text, and draw the ' +
        'tree. Without directories: the autoencoder of the run and those in <run>/sizes.',
      example: 'monosem compare splitting --run runs/demo --sizes 512,1024,4096',
    },
    async (session, command) => {
      const { corpus, model, out } = readPaths(command, ['corpus', 'model'], 'splitting')
      const config = readFlags(command, splittingConfigSchema)
      const saes = await namedByRun(command, await chooseSaes(session, command))
      const context = { ...session.context, kernels: await session.kernels() }
      const result = await runSplittingStage(config, { corpus, model, saes, out }, context)
      const summary = await readSplittingSummary(result.directory)
      return {
        json: { ...result, ...(summary as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderSplitting(summary)}\n\n${join(result.directory, 'report.html')} shows the map and the trees.`,
      }
    },
  )
  command.argument('[saes...]', 'directories of autoencoders of one hook point, two or more')
  addPaths(command, ['corpus', 'model'], 'splitting')
  addOptionalPaths(command, ['features', 'explanations'])
  command
    .option(
      '--sizes <list>',
      'numbers of features, as 512,1024,4096: those that are missing are trained in <run>/sizes',
    )
    .option(
      '--train-tokens <number>',
      "tokens to train missing sizes on (default: as many as the run's own autoencoder)",
    )
  addFlags(command, splittingConfigSchema)
}

/** The directories that were named, or those of the sizes asked for, or all that the run has. */
async function chooseSaes(session: Session, command: Command): Promise<string[]> {
  const named = command.args
  const sizes: string | undefined = command.getOptionValue('sizes')
  const run: string | undefined = command.getOptionValue('run')
  if (sizes !== undefined) {
    if (named.length > 0 || run === undefined)
      throw new MonosemError('config', '--sizes: expected a run and no directories of autoencoders', {
        hint: 'pass --run DIR --sizes 512,1024,4096',
      })
    return trainSizes(session, run, readSizes(sizes), command.getOptionValue('trainTokens'))
  }
  if (named.length > 0 || run === undefined) return named
  const folder = join(run, 'sizes')
  const trained = existsSync(folder) ? (await readdir(folder)).filter((name) => /^\d+$/.test(name)) : []
  const own = join(run, 'sae')
  return [...trained.map((name) => join(folder, name)), ...(existsSync(own) ? [own] : [])]
}

/** Adds explanations to the autoencoder that the run's features are of. */
async function namedByRun(command: Command, directories: readonly string[]): Promise<SplittingPaths['saes']> {
  const features = optionalPath(command, 'features')
  if (features === null) return directories.map((directory) => ({ directory }))
  const explanations = firstTexts(await explanationsOf(command, features))
  const store = await openStage(features, 'features')
  return Promise.all(
    directories.map(async (directory) => {
      const own = await requireMadeFrom(store, 'sae', resolve(directory)).then(
        () => true,
        () => false,
      )
      return own ? { directory, explanations } : { directory }
    }),
  )
}
