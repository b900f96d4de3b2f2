import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../config/parse-config.js'
import { MonosemError } from '../errors/monosem-error.js'
import { featuresConfigSchema } from '../features/features-config.js'
import { runFeaturesStage } from '../features/features-stage.js'
import { modelConfigSchema } from '../model/model-config.js'
import { runModelStage } from '../model/model-stage.js'
import { saeConfigSchema } from '../sae/sae-config.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { type OpenStage, openStage } from '../storage/open-stage.js'
import { trainSae } from './sae.js'
import type { Session } from './session.js'

/** Options for a model and an autoencoder like those of a run, from another seed. */
export const secondSeedSchema = z.object({
  seed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .optional()
    .describe('train the other model and its autoencoder from this seed, with everything else as in the run'),
  budget: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe('share of the training tokens of the run that they are trained on, for a quick trial'),
})

/**
 * Trains a transformer and an autoencoder with the configurations of others, but for the seed: other weights at the start, another order of the text.
 * They go to seed-<number> beside the model's directory, with their features where the run has some, and are reused, or resumed, when they are there.
 * @throws MonosemError config (they were not trained by this program, or from this very seed), and those of both stages
 */
export async function trainSecondSeed(
  session: Session,
  paths: Record<'corpus' | 'model' | 'sae', string>,
  { seed, budget }: { seed: number; budget: number },
): Promise<{ model: string; sae: string }> {
  const [model, sae] = await Promise.all([
    openTrained(paths.model, 'model', seed),
    openTrained(paths.sae, 'sae', seed),
  ])
  await requireMadeFrom(model, 'corpus', paths.corpus)
  const name = budget === 1 ? `seed-${seed}` : `seed-${seed}-budget-${budget}`
  const directory = join(dirname(paths.model), name)
  const out = { model: join(directory, 'model'), sae: join(directory, 'sae') }
  const trainTokens = ({ config }: OpenStage<Trained>): number => Math.ceil(config.trainTokens * budget)
  const modelConfig = { ...model.config, seed, trainTokens: trainTokens(model) }
  await runModelStage(
    parseConfig(modelConfigSchema, modelConfig, (field) => `${paths.model}: ${field}`),
    { corpus: paths.corpus, out: out.model },
    { ...session.context, kernels: await session.kernels() },
  )
  const saeConfig = { ...sae.config, seed, streamSeed: seed, trainTokens: trainTokens(sae) }
  await trainSae(
    session,
    parseConfig(saeConfigSchema, saeConfig, (field) => `${paths.sae}: ${field}`),
    { corpus: paths.corpus, model: out.model },
    out.sae,
  )
  await collectFeatures(session, { corpus: paths.corpus, ...out }, paths.model)
  return out
}

/** Collects the features too, as those of the run were, where it has any: the feature browser shows both on their texts. */
async function collectFeatures(
  session: Session,
  paths: Record<'corpus' | 'model' | 'sae', string>,
  model: string,
): Promise<void> {
  const own = join(dirname(model), 'features')
  if (!existsSync(join(own, 'manifest.json'))) return
  const { config } = await openStage(own, 'features')
  await runFeaturesStage(
    parseConfig(featuresConfigSchema, config, (field) => `${own}: ${field}`),
    { ...paths, out: join(dirname(paths.sae), 'features') },
    { ...session.context, kernels: await session.kernels() },
  )
}

type Trained = { trainTokens: number; seed: number }

/** Opens what is to be trained once more. */
async function openTrained(directory: string, name: string, seed: number): Promise<OpenStage<Trained>> {
  const stage = await openStage<Trained>(directory, name)
  if (stage.config.trainTokens === undefined)
    throw new MonosemError(
      'config',
      `${directory} was not trained by this program, so it cannot be trained again from another seed`,
      { hint: 'pass the other model and its autoencoder: --with-model DIR --with-sae DIR' },
    )
  if (stage.config.seed === seed)
    throw new MonosemError('config', `--seed: expected another seed than that of ${directory}, got ${seed}`, {
      hint: 'the same seed gives the same weights',
    })
  return stage
}
