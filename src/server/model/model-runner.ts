import { join } from 'node:path'
import { requireSaeFits } from '../../activations/sae-on-model.js'
import type { Tokenizer } from '../../corpus/tokenizer.js'
import { MonosemError } from '../../errors/monosem-error.js'
import type { FeatureStore } from '../../features/feature-store.js'
import type { Kernels } from '../../kernels/kernels.js'
import { loadTransformer } from '../../model/model-stage.js'
import type { Transformer } from '../../model/transformer.js'
import { loadSae, type Sae } from '../../sae/sae.js'
import { requireMadeFrom } from '../../storage/made-from.js'
import { openStage } from '../../storage/open-stage.js'
import type { FeatureIndex } from '../list/feature-index.js'
import { once } from '../once.js'
import type { JobQueue } from './job-queue.js'
import { createSharedCorpus, type SharedCorpusSource } from './shared-corpus.js'
import { createSpecificityMemory, type SpecificityMemory } from './specificity-memory.js'

/** A run's model and autoencoder in memory. */
export interface LoadedModel {
  model: Transformer
  sae: Sae
  tokenizer: Tokenizer
  /** [F] largest activation of each feature on the store's text; 0 where it never fired */
  maxima: Float64Array
}

/** What runs the model of a run. Nothing is loaded before it is asked for. */
export interface ModelRunner {
  /** the server's; work on the model goes through it */
  queue: JobQueue
  /**
   * Loads at the first call, once for all who call.
   * @throws MonosemError missing, corrupt, config (the features were made from another model or autoencoder), shape
   */
  load(): Promise<LoadedModel>
  /** the run's text */
  corpus: SharedCorpusSource
  /** what is known of the specificity of features */
  specificity: SpecificityMemory
}

export interface ModelRunnerOptions {
  /** the server's kernels */
  kernels: () => Promise<Kernels>
  queue: JobQueue
}

/** What is known of the features. */
interface RunFeatures {
  store: FeatureStore
  index: Pick<FeatureIndex, 'maxima'>
}

/** @param directory of the run, which holds `features`, `model` and `sae` */
export function createModelRunner(
  directory: string,
  features: RunFeatures,
  { kernels, queue }: ModelRunnerOptions,
): ModelRunner {
  return {
    queue,
    load: once(() => loadModel(directory, features, kernels)),
    corpus: createSharedCorpus(directory),
    specificity: createSpecificityMemory(directory, features.index.maxima),
  }
}

async function loadModel(
  directory: string,
  { store, index }: RunFeatures,
  kernels: () => Promise<Kernels>,
): Promise<LoadedModel> {
  const features = await openStage(join(directory, 'features'), 'features')
  for (const role of ['model', 'sae']) await requireMadeFrom(features, role, join(directory, role))
  const loaded = await kernels()
  const model = await loadTransformer(loaded, join(directory, 'model'))
  const sae = await loadSae(loaded, join(directory, 'sae'))
  requireSaeFits(model, sae)
  return { model, sae, tokenizer: store.tokenizer, maxima: index.maxima }
}

/** @throws MonosemError missing, when the run has none */
export function requireRunner(run: {
  info: { run: string; directory: string }
  model: ModelRunner | null
}): ModelRunner {
  if (run.model) return run.model
  throw new MonosemError(
    'missing',
    `run ${run.info.run} has no model, or no autoencoder: it cannot run texts`,
    {
      hint: `${run.info.directory} needs its folders model and sae for that`,
    },
  )
}
