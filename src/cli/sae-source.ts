import type { Command } from 'commander'
import { openActivations } from '../activations/activation-store.js'
import { createLiveSource } from '../activations/live-source.js'
import { createStoredSource } from '../activations/stored-source.js'
import type { Communicator } from '../distributed/communicator.js'
import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import type { ActivationSource } from '../sae/activation-source.js'
import type { SaeConfig } from '../sae/sae-config.js'
import { readPaths } from './run-paths.js'

/** Directories that the activations come from: a store, or a model that runs over a corpus. */
export type SaeInputs = { activations: string } | { corpus: string; model: string }

/** Adds `--activations DIR`. */
export function addActivationsPath(command: Command): Command {
  return command.option(
    '--activations <dir>',
    'directory of stored activations to train on, instead of a corpus and a model; --hook-name is then the first of its hook points unless given',
  )
}

/** @throws MonosemError config: neither stored activations, nor both a corpus and a model */
export function readSaeInputs(command: Command): SaeInputs {
  const activations: string | undefined = command.getOptionValue('activations')
  if (activations !== undefined) return { activations }
  const { corpus, model } = readPaths(command, ['corpus', 'model'])
  return { corpus, model }
}

/** Options whose default depends on the inputs. */
export async function defaultsFor(inputs: SaeInputs): Promise<Partial<SaeConfig>> {
  if (!('activations' in inputs)) return {}
  const { info } = await openActivations(inputs.activations)
  return { hookName: info.hooks[0].name }
}

/**
 * Activations from disk, or live ones of a model reading the training split of a corpus.
 * @param ranks will all read the same batches; default: this process alone
 */
export async function openSaeSource(
  kernels: Kernels,
  config: SaeConfig,
  inputs: SaeInputs,
  ranks?: Communicator,
): Promise<ActivationSource> {
  const options = {
    hookName: config.hookName,
    targetHookName: config.targetHookName,
    seed: config.streamSeed ?? config.seed,
    bufferTokens: config.bufferTokens,
    dtype: config.activationDtype,
  }
  if ('activations' in inputs)
    return createStoredSource(kernels, await openActivations(inputs.activations, ranks), options)
  const { model, corpus } = await openModelAndCorpus(kernels, inputs)
  return createLiveSource(kernels, model, corpus, { ...options, modelBatch: config.modelBatch, ranks })
}
