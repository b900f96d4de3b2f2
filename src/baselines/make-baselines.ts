import { join } from 'node:path'
import { createLiveSource } from '../activations/live-source.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { EvalConfig } from '../eval/eval-config.js'
import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import { randomizeModel } from '../model/randomize-model.js'
import { freeTransformer } from '../model/transformer.js'
import type { StageContext } from '../progress/progress.js'
import type { ActivationSource } from '../sae/activation-source.js'
import { isTranscoder, type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import { type SaeRequest, trainSaes } from '../sae/sae-stage.js'
import { openStage } from '../storage/open-stage.js'
import { baselineKinds } from './baseline-kinds.js'
import type { BaselineName, BaselinesConfig } from './baselines-config.js'
import { runBasisStage } from './basis-stage.js'
import { measure } from './measure-stage.js'
import type { Measured } from './verdict.js'

/** What is judged, and where baselines go. */
export interface BaselinesPaths {
  model: string
  sae: string
  corpus: string
  /** directory in which each baseline gets one of its own */
  out: string
}

/** A dictionary, where it is, and what was measured. */
export interface MadeDictionary {
  /** directories, to be named as inputs of what is drawn from them */
  sae: string
  measures: string
  measured: Measured
  /** tokens that it was trained on; null where that is not known or nothing was trained */
  trainTokens: number | null
}

/** Everything that a comparison takes. */
export interface MadeBaselines {
  dictionary: MadeDictionary
  /** the dictionary trained on as many tokens as the baselines; `dictionary` where that is the same */
  sameBudget: MadeDictionary
  baselines: Map<BaselineName, MadeDictionary>
}

/** One making of baselines on its way. */
interface Making {
  config: BaselinesConfig
  paths: BaselinesPaths
  context: StageContext & { kernels: Kernels }
  /** how the dictionary was trained; null for one of others */
  trained: SaeConfig | null
  dictionary: MadeDictionary
}

/**
 * Measures a dictionary, makes every baseline that is asked for and not there yet below `paths.out`, and measures it in the same way. Each model,
 * autoencoder and measurement is a stage directory: what is finished is reused, what was interrupted goes on.
 * @throws MonosemError config (a baseline that makes no sense for this dictionary), and those of the stages
 */
export async function makeBaselines(
  config: BaselinesConfig,
  paths: BaselinesPaths,
  context: StageContext & { kernels: Kernels },
): Promise<MadeBaselines> {
  const trained = await trainingConfig(paths.sae)
  const own = join(paths.out, 'autoencoder', 'measures')
  const measured = await measure(evalOptions(config), { ...paths, out: own }, context)
  const trainTokens = trained?.trainTokens ?? null
  const dictionary = { sae: paths.sae, measures: own, measured, trainTokens }
  const making: Making = { config, paths, context, trained, dictionary }
  requireSense(making)
  const baselines = new Map<BaselineName, MadeDictionary>()
  const sameBudget = await onTheSameModel(making, baselines)
  for (const name of config.only)
    if (baselineKinds[name].made === 'model') baselines.set(name, await onRandomModel(making, name))
  return { dictionary, sameBudget, baselines }
}

const evalOptions = ({ tokens, meanTokens, batchWindows }: BaselinesConfig): EvalConfig => ({
  tokens,
  meanTokens,
  batchWindows,
})

/** How an autoencoder was trained; null for one that was not trained here. */
async function trainingConfig(directory: string): Promise<SaeConfig | null> {
  const { config } = await openStage(directory, 'sae')
  const parsed = saeConfigSchema.safeParse(config)
  return parsed.success && 'trainTokens' in config ? parsed.data : null
}

function requireSense({ config, paths, trained, dictionary }: Making): void {
  const { hookName, targetHookName } = dictionary.measured.report
  const basis = config.only.find((name) => baselineKinds[name].made === 'basis')
  if (basis !== undefined && isTranscoder({ hookName, targetHookName }))
    throw new MonosemError(
      'config',
      `baselines: expected an autoencoder for ${basis}, got a transcoder from ${hookName} to ${targetHookName}`,
      { hint: 'a basis reconstructs what it reads: name other baselines with --only' },
    )
  const other = config.only.find((name) => baselineKinds[name].made !== 'basis')
  if (other !== undefined && trained === null)
    throw new MonosemError(
      'config',
      `${paths.sae}: expected an autoencoder that was trained here for ${other}, got one of others, whose training is not known`,
      { hint: 'compare it with --only pca neurons' },
    )
}

/** The configuration of a baseline that is trained: the dictionary's own, but for the budget. */
function trainingOf({ trained, config }: Making, changes: Partial<SaeConfig> = {}): SaeConfig {
  const own = trained as SaeConfig
  return { ...own, trainTokens: config.trainTokens ?? own.trainTokens, tensorboard: false, ...changes }
}

/**
 * What reads the activations of the dictionary's own model: the bases, and what is trained on one stream. Returns the dictionary that those that
 * are trained are compared with.
 */
async function onTheSameModel(
  making: Making,
  baselines: Map<BaselineName, MadeDictionary>,
): Promise<MadeDictionary> {
  const { config, paths, trained, dictionary } = making
  const bases = config.only.filter((name): name is 'pca' | 'neurons' => baselineKinds[name].made === 'basis')
  const trains = config.only.some((name) => baselineKinds[name].made !== 'basis')
  const again = trains && trainingOf(making).trainTokens !== trained?.trainTokens
  const frozen = config.only.includes('frozen-decoder')
  await withSource(making, paths.model, async (source) => {
    making.context.progress.note('baselines on the same model')
    for (const basis of bases) await makeBasis(making, basis, source)
    const requests: SaeRequest[] = []
    if (again) requests.push({ out: saeOf(paths, 'same-budget'), config: trainingOf(making) })
    if (frozen) requests.push({ out: saeOf(paths, 'frozen-decoder'), config: frozenConfig(making) })
    const inputs = { corpus: paths.corpus, model: paths.model }
    if (requests.length > 0) await trainSaes(requests, { source, inputs }, making.context)
  })
  for (const name of bases) baselines.set(name, await measured(making, name, paths.model, null))
  const budget = trains ? trainingOf(making).trainTokens : null
  if (frozen) baselines.set('frozen-decoder', await measured(making, 'frozen-decoder', paths.model, budget))
  return again ? measured(making, 'same-budget', paths.model, budget) : dictionary
}

/** Resampling would write to the decoder: its default for a frozen one stands in. */
function frozenConfig(making: Making): SaeConfig {
  const { deadFeatures, ...config } = trainingOf(making, { freezeDecoder: true })
  return deadFeatures === 'resample' ? config : { ...config, deadFeatures }
}

function makeBasis(
  { config, paths, context, dictionary, trained }: Making,
  basis: 'pca' | 'neurons',
  source: ActivationSource,
) {
  const { hookName, l0 } = dictionary.measured.report
  const k = Math.max(1, Math.round(l0))
  const { seed, batchSize } = trained ?? saeConfigSchema.parse({ seed: config.seed })
  return runBasisStage(
    { basis, hookName, k, tokens: config.pcaTokens, batchSize, seed },
    { source, out: saeOf(paths, basis), inputs: { corpus: paths.corpus, model: paths.model } },
    context,
  )
}

async function onRandomModel(making: Making, name: BaselineName): Promise<MadeDictionary> {
  const { config, paths, context } = making
  const { method, label } = baselineKinds[name]
  context.progress.note(`baseline: ${label}`)
  const model = join(paths.out, name, 'model')
  if (method !== undefined)
    await randomizeModel({ ...config, method }, { model: paths.model, out: model }, context)
  const training = trainingOf(making)
  const inputs = { corpus: paths.corpus, model }
  await withSource(making, model, async (source) => {
    await trainSaes([{ out: saeOf(paths, name), config: training }], { source, inputs }, context)
  })
  return measured(making, name, model, training.trainTokens)
}

const saeOf = ({ out }: BaselinesPaths, name: string): string => join(out, name, 'sae')

async function measured(
  { config, paths, context }: Making,
  name: string,
  model: string,
  trainTokens: number | null,
): Promise<MadeDictionary> {
  const [sae, out] = [saeOf(paths, name), join(paths.out, name, 'measures')]
  const found = await measure(evalOptions(config), { model, sae, corpus: paths.corpus, out }, context)
  return { sae, measures: out, measured: found, trainTokens }
}

/** Runs a model over the training text as training of the dictionary does: the same hook points in the same order. */
async function withSource(
  { config, paths, context, trained, dictionary }: Making,
  directory: string,
  use: (source: ActivationSource) => Promise<void>,
): Promise<void> {
  const { kernels } = context
  const { hookName, targetHookName } = dictionary.measured.report
  const options = trained ?? saeConfigSchema.parse({ seed: config.seed })
  const { model, corpus } = await openModelAndCorpus(kernels, { model: directory, corpus: paths.corpus })
  try {
    const { bufferTokens, activationDtype: dtype, modelBatch } = options
    const seed = options.streamSeed ?? options.seed
    await use(
      createLiveSource(kernels, model, corpus, {
        hookName,
        targetHookName,
        seed,
        bufferTokens,
        dtype,
        modelBatch,
      }),
    )
  } finally {
    freeTransformer(model)
  }
}
