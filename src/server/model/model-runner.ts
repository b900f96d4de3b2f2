import { join } from 'node:path'
import type { Tokenizer } from '../../corpus/tokenizer.js'
import { MonosemError } from '../../errors/monosem-error.js'
import { requireSaeFits } from '../../eval/sae-on-model.js'
import type { FeatureStore } from '../../features/feature-store.js'
import type { Kernels } from '../../kernels/kernels.js'
import { loadTransformer } from '../../model/model-stage.js'
import type { Transformer } from '../../model/transformer.js'
import { loadSae, type Sae } from '../../sae/sae.js'
import { requireMadeFrom } from '../../storage/made-from.js'
import { openStage } from '../../storage/stage.js'
import type { JobQueue } from './job-queue.js'
import { once } from './once.js'
import { createSharedCorpus, type SharedCorpusSource } from './shared-corpus.js'
import { createSpecificityMemory, type SpecificityMemory } from './specificity-memory.js'

/** A run's model and autoencoder in memory. */
export interface LoadedModel {
  model: Transformer
  sae: Sae
  tokenizer: Tokenizer
  /** [F] largest activation of each feature on the store's text; 0 where it never fired */
  maxima: Float32Array
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

/** @param directory of the run, which holds `features`, `model` and `sae` */
export function createModelRunner(
  directory: string,
  store: FeatureStore,
  { kernels, queue }: ModelRunnerOptions,
): ModelRunner {
  const maxima = once(() => store.maxima())
  return {
    queue,
    load: once(() => loadModel(directory, store, kernels, maxima)),
    corpus: createSharedCorpus(directory),
    specificity: createSpecificityMemory(directory, maxima),
  }
}

async function loadModel(
  directory: string,
  store: FeatureStore,
  kernels: () => Promise<Kernels>,
  maxima: () => Promise<Float32Array>,
): Promise<LoadedModel> {
  const features = await openStage(join(directory, 'features'), 'features')
  for (const role of ['model', 'sae']) await requireMadeFrom(features, role, join(directory, role))
  const loaded = await kernels()
  const model = await loadTransformer(loaded, join(directory, 'model'))
  const sae = await loadSae(loaded, join(directory, 'sae'))
  requireSaeFits(model, sae)
  return { model, sae, tokenizer: store.tokenizer, maxima: await maxima() }
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
