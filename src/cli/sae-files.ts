import type { Command } from 'commander'
import { MonosemError } from '../errors/monosem-error.js'
import type { ReadSaeOptions } from '../sae/formats/read-sae.js'
import type { Session } from './session.js'

/** Adds the flags of commands that read an autoencoder of any layout, from the disk or from the hub. */
export function addSaeSource(command: Command): Command {
  return command
    .option('--revision <text>', 'branch, tag or commit on the Hugging Face hub (default: main)')
    .option('--offline', 'take what the cache of the hub has and never ask the network')
    .option('--hook-name <text>', 'hook point that it reads, where its files do not say')
    .option('--target-hook-name <text>', 'hook point that it reconstructs, where its files do not say')
    .option(
      '--activation-scale <number>',
      'what activations are multiplied by where the files expect scaled ones and do not say how much: sqrt(D) / mean ||x||',
    )
}

/** What was given for them. @throws MonosemError config */
export function readSaeSource(session: Session, command: Command): ReadSaeOptions {
  const { progress, signal } = session.context
  const revision: string | undefined = command.getOptionValue('revision')
  const hookName: string | undefined = command.getOptionValue('hookName')
  const targetHookName: string | undefined = command.getOptionValue('targetHookName')
  const scale: string | undefined = command.getOptionValue('activationScale')
  if (scale !== undefined && !(Number(scale) > 0 && Number.isFinite(Number(scale))))
    throw new MonosemError('config', `--activation-scale: expected a number above 0, got ${scale}`)
  return {
    progress,
    ...(signal && { signal }),
    ...(revision !== undefined && { revision }),
    ...(command.getOptionValue('offline') === true && { offline: true }),
    ...(hookName !== undefined && { hookName }),
    ...(targetHookName !== undefined && { targetHookName }),
    ...(scale !== undefined && { activationScale: Number(scale) }),
  }
}

/** A required option's text. @throws MonosemError config */
export function requiredOption(command: Command, name: string, what: string): string {
  const value: string | undefined = command.getOptionValue(name)
  if (value) return value
  throw new MonosemError('config', `--${name}: expected ${what}, got nothing`)
}
