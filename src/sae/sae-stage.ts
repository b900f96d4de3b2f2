import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, SaePrecision } from '../kernels/kernels.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { type FileEntry, type Json, runStage, type StageResult } from '../storage/stage.js'
import type { ActivationSource } from './activation-source.js'
import { foldActivationScale } from './fold.js'
import { writeSaelens } from './formats/saelens.js'
import {
  type SaelensConfig,
  type SaelensKind,
  saelensName,
  saelensVersion,
} from './formats/saelens-config.js'
import { resolveSaeConfig } from './resolve-config.js'
import { isTranscoder, type ResolvedSaeConfig, type SaeConfig } from './sae-config.js'
import { type TrainContext, type TrainedAndMeasured, trainTogether } from './train-together.js'

/** What metrics.json of the sae stage holds. */
export interface SaeMetrics {
  /** mean number of active features per token, on `measuredTokens` tokens of the stream after those of training */
  l0: number
  /** on the same tokens */
  explainedVariance: number
  measuredTokens: number
  /** share of the features that did not fire in the last `deadAfterTokens` tokens of training */
  deadFraction: number
  /** tokens per second of training, data included */
  samplesPerSecond: number
  steps: number
  /** s: activations were multiplied by it in training */
  activationScale: number
  /** the same of a transcoder's targets; equal to activationScale for an autoencoder */
  targetScale: number
  /** tokens left out because their activations were not finite */
  skippedRows: number
  /** number format in which encoding looked for active features at the end */
  precision: SaePrecision
}

/** Where an autoencoder comes from and goes to. */
export interface SaeStagePaths {
  source: ActivationSource
  /** directory to write */
  out: string
  /** finished stage directories that the source reads, by role */
  inputs: Record<string, string>
}

/** One of several autoencoders that train on one stream. */
export interface SaeRequest {
  config: SaeConfig
  /** directory to write */
  out: string
}

/**
 * Trains an autoencoder and saves it as a SAELens v6 directory: cfg.json, sae_weights.safetensors, sparsity.safetensors, and beside
 * them metrics.json, metrics.jsonl and timings.jsonl. Features are in units of raw activations; decoder rows have unit norm.
 *
 * Several ranks (`context.mesh`) write the same directory together; it does not say how many they were, and any number of them may go on with it.
 * @throws MonosemError config (see `resolveSaeConfig`), and those of `runStage` and `trainTogether`
 */
export async function runSaeStage(
  config: SaeConfig,
  { source, out, inputs }: SaeStagePaths,
  context: TrainContext & { kernels: Kernels },
): Promise<StageResult> {
  const [result] = await trainSaes([{ config, out }], { source, inputs }, context)
  return result
}

/**
 * Trains several autoencoders on one stream of activations, which is computed once. Each one ends as a directory like that of
 * `runSaeStage`, the same to the bit as if it had been trained alone with the same `streamSeed`; started again, those that are there
 * are reused and the others go on from their checkpoints.
 * @throws MonosemError config (they would not read the same activations), diverged (after the others are done), as `runSaeStage`
 */
export async function trainSaes(
  requests: readonly SaeRequest[],
  { source, inputs }: Omit<SaeStagePaths, 'out'>,
  context: TrainContext & { kernels: Kernels },
): Promise<StageResult[]> {
  const members = requests.map(({ config, out }) => ({ config: resolveSaeConfig(config, source.d), out }))
  requireOneStream(members, source)
  const results: StageResult[] = []
  const partials = new Map<number, string>()
  let trained = new Map<number, TrainedAndMeasured | MonosemError>()
  const train = async (): Promise<void> => {
    const asked = [...partials].map(([i, directory]) => ({ config: members[i].config, directory }))
    if (asked.length === 0) return
    const found = await trainTogether(context.kernels, source, asked, context)
    trained = new Map([...partials.keys()].map((i, n) => [i, found[n]]))
  }
  /** Opens the directories from the i-th on, one inside the other, and trains in the innermost when all are open. */
  const open = async (i: number): Promise<void> => {
    if (i === members.length) return train()
    const { config, out } = members[i]
    const request = { stage: 'sae', out, config: config as Record<string, Json>, inputs, seed: config.seed }
    let opened = false
    const body = async (partial: string, hashed: Map<string, FileEntry>): Promise<void> => {
      opened = true
      partials.set(i, partial)
      await open(i + 1)
      const result = trained.get(i)
      if (result instanceof MonosemError) throw result
      await saveTrained(partial, source, result as TrainedAndMeasured, hashed)
    }
    const stage = runStage(request, body, context.mesh?.world ?? context.ranks)
    results[i] = await stage.catch((error) => {
      // an autoencoder that diverged leaves the others to be saved
      if (trained.get(i) !== error) throw error
      return { directory: out, reused: false }
    })
    if (!opened) await open(i + 1)
  }
  await open(0)
  throwFirstFailure([...trained.values()])
  return results
}

function throwFirstFailure(results: readonly (TrainedAndMeasured | MonosemError)[]): void {
  const failures = results.filter((result) => result instanceof MonosemError)
  if (failures.length > 0) throw failures[0]
}

/** What decides which activations come: everything that trains on one stream must agree on it. */
export const streamFields = [
  'hookName',
  'targetHookName',
  'streamSeed',
  'batchSize',
  'initTokens',
  'bufferTokens',
  'activationDtype',
  'modelBatch',
  'badActivations',
  'checkpointEverySeconds',
] as const satisfies readonly (keyof ResolvedSaeConfig)[]

function requireOneStream(
  members: readonly { config: ResolvedSaeConfig; out: string }[],
  source: ActivationSource,
): void {
  if (members.length === 0)
    throw new MonosemError('config', 'sae: expected at least one configuration, got none')
  const [first] = members
  for (const { config, out } of members)
    for (const field of streamFields)
      if (config[field] !== first.config[field])
        throw new MonosemError(
          'config',
          `sae: expected autoencoders that read the same activations, got ${field} ${first.config[field]} for ${first.out} and ${config[field]} for ${out}`,
          { hint: `give all of them the same ${field}, or train them one by one` },
        )
  if (isTranscoder(first.config) !== (source.dOut !== undefined))
    throw new MonosemError(
      'config',
      `sae: expected activations for ${isTranscoder(first.config) ? 'a transcoder, with targets' : 'an autoencoder, without targets'}, got the other kind`,
      { hint: 'a source has dOut and gives { x, y } exactly where targetHookName differs from hookName' },
    )
}

async function saveTrained(
  directory: string,
  source: ActivationSource,
  trained: TrainedAndMeasured,
  hashed: Map<string, FileEntry>,
): Promise<void> {
  const { config, counters, measured, share } = trained
  const { mesh } = share
  const { scales, step } = counters
  const arrays = foldActivationScale(trained.arrays, scales.input, scales.target)
  if (mesh.data.rank === 0)
    await writeSaelens(
      directory,
      { config: saelensConfig(trained, source), arrays, ranks: mesh.features, hashed },
      measured.frequencies,
    )
  if (mesh.world.rank > 0) return
  const metrics: SaeMetrics = {
    l0: measured.l0,
    explainedVariance: measured.explainedVariance,
    measuredTokens: measured.tokens,
    deadFraction: trained.deadFraction,
    samplesPerSecond: (step * config.batchSize) / counters.seconds,
    steps: step,
    activationScale: scales.input,
    targetScale: scales.target,
    skippedRows: counters.skippedRows,
    precision: trained.precision,
  }
  await writeFileAtomic(join(directory, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`)
}

function saelensConfig(
  { config, form, counters }: TrainedAndMeasured,
  source: ActivationSource,
): SaelensConfig {
  const { activation, subtractDecoderBias } = form
  const transcoder = isTranscoder(config)
  const kind = activation.kind as SaelensKind
  return {
    architecture: saelensName({ kind, transcoder, skip: config.skip }),
    d_in: source.d,
    d_sae: config.features,
    ...(transcoder && { d_out: source.dOut }),
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: subtractDecoderBias,
    normalize_activations: 'none',
    reshape_activations: 'none',
    ...(activation.kind === 'topk' && { k: activation.k, rescale_acts_by_decoder_norm: false }),
    metadata: {
      sae_lens_version: saelensVersion,
      hook_name: config.hookName,
      ...(transcoder && { hook_name_out: config.targetHookName }),
      hook_head_index: null,
      prepend_bos: false,
      seqpos_slice: [null],
      ...source.metadata,
    },
    monosem: {
      architecture: config.architecture,
      activationScale: counters.scales.input,
      ...(transcoder && { targetScale: counters.scales.target }),
      subtractDecoderBias,
      inputNormalization: 'none',
      featureUnits: 'raw',
    },
  }
}
