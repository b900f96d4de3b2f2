import { join } from 'node:path'
import type { Command } from 'commander'
import { renderUniversality } from '../compare/render-universality.js'
import { universalityConfigSchema } from '../compare/universality-config.js'
import { readUniversality, runUniversalityStage } from '../compare/universality-stage.js'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { openStage } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addOptionalPaths, addPaths, optionalPath, readPaths } from './run-paths.js'
import { secondSeedSchema, trainSecondSeed } from './second-seed.js'
import type { Session } from './session.js'

/** `monosem compare universality` */
export function addCompareUniversality(compare: Command): void {
  const command = addCommand(
    compare,
    'universality',
    {
      description:
        'Do two models have the same features? For each feature of one dictionary its most similar feature of another, trained on another model: by ' +
        'activations on the same text and by logit weights, beside neurons and chance. With --seed, the second model and its autoencoder are trained ' +
        'first, as those of the run were, into <run>/seed-<number>.',
      example: 'monosem compare universality --run runs/demo --seed 1',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'], 'universality')
      const config = readFlags(command, universalityConfigSchema)
      const other = await otherDictionary(session, command, paths)
      const result = await runUniversalityStage(
        config,
        { ...paths, ...other, caseStudies: optionalPath(command, 'case-studies') },
        { ...session.context, kernels: await session.kernels() },
      )
      const universality = await readUniversality(result.directory)
      const { aToB, bToA, ...figures } = universality
      return {
        json: { ...result, ...(figures as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderUniversality(universality)}\n\n${join(result.directory, 'report.html')} shows the distributions, and partners on text.`,
      }
    },
  )
  addPaths(command, ['corpus', 'model', 'sae'], 'universality')
  addOptionalPaths(command, ['case-studies'])
  command
    .option('--with <dir>', 'the other run directory: stands for <dir>/model, <dir>/sae')
    .option('--with-model <dir>', 'directory of the other model')
    .option('--with-sae <dir>', 'directory of the autoencoder of the other model')
  addFlags(command, secondSeedSchema)
  addFlags(command, universalityConfigSchema)
}

/** B: trained now, a run's, or named by its parts. */
async function otherDictionary(
  session: Session,
  command: Command,
  own: Record<'corpus' | 'model' | 'sae', string>,
): Promise<{ withModel: string; withSae: string }> {
  const run: string | undefined = command.getOptionValue('with')
  const { seed, budget } = readFlags(command, secondSeedSchema)
  const named = ['with', 'withModel', 'withSae'].some((name) => command.getOptionValue(name) !== undefined)
  if (seed !== undefined && !named) {
    const { model, sae } = await trainSecondSeed(session, own, { seed, budget })
    return { withModel: model, withSae: sae }
  }
  const withModel: string | undefined = command.getOptionValue('withModel') ?? (run && join(run, 'model'))
  const withSae: string | undefined = command.getOptionValue('withSae') ?? (run && join(run, 'sae'))
  if (seed !== undefined || withModel === undefined || withSae === undefined)
    throw new MonosemError(
      'config',
      `compare universality: expected one other model and its autoencoder, got ${named ? 'a part, or several' : 'none'}`,
      { hint: 'pass --with DIR, or --seed N, or both --with-model DIR and --with-sae DIR' },
    )
  if (run !== undefined) await requireSameCorpus(run, withModel, own)
  return { withModel, withSae }
}

/** Two runs are compared on text that neither learned from: what is validation text for one must be for the other. */
async function requireSameCorpus(
  run: string,
  withModel: string,
  { model, corpus }: Record<'model' | 'corpus', string>,
): Promise<void> {
  const [a, b] = await Promise.all([openStage(model, 'model'), openStage(withModel, 'model')])
  const [of, used] = [a, b].map(({ manifest }) => manifest.inputs.corpus?.manifestSha256)
  if (of === used || used === undefined) return
  throw new MonosemError(
    'config',
    `${run}: expected a model of the same corpus, ${corpus}, got one of another`,
    {
      hint: `train a model on this corpus, or name the parts to compare on this text all the same: --with-model ${withModel} --with-sae ${join(run, 'sae')}`,
    },
  )
}
