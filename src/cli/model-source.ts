import { join } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { LanguageModel } from '../model/language-model.js'
import { loadModel } from '../model/load-model.js'
import type { Session } from './session.js'

/** How a model is loaded that may come from the Hugging Face hub. */
const sourceSchema = z.object({
  weights: z
    .enum(['f32', 'bf16'])
    .default('f32')
    .describe('number format in which weights are kept in memory; sums are always f32'),
  revision: z.string().default('').describe('branch, tag or commit on the Hugging Face hub (default: main)'),
  offline: z
    .boolean()
    .default(false)
    .describe('take what the cache of the hub has and never ask the network'),
})

/** Adds `--model`, which takes directories and names on the hub, `--run`, and how to load. */
export function addModelSource(command: Command): Command {
  command
    .option(
      '--model <source>',
      'model directory of a run, directory in the Hugging Face layout, or name on the Hugging Face hub, e.g. gpt2',
    )
    .option('--run <dir>', 'run directory: stands for --model <dir>/model')
  return addFlags(command, sourceSchema)
}

/** What was given for `--model`, or stands for it. @throws MonosemError config (neither was given) */
function modelSource(command: Command): string {
  const run: string | undefined = command.getOptionValue('run')
  const source: string | undefined = command.getOptionValue('model') ?? (run && join(run, 'model'))
  if (source !== undefined) return source
  throw new MonosemError('config', '--model: expected a directory or a name on the hub, got nothing', {
    hint: 'pass --model SOURCE, or --run DIR for DIR/model',
  })
}

/** The options of loading that were given. */
function loadOptions(session: Session, command: Command) {
  const { weights, revision, offline } = readFlags(command, sourceSchema)
  return {
    weights,
    ...(revision !== '' && { revision }),
    ...(offline && { offline }),
    ...session.context,
  }
}

/** Loads the model that a command names. */
export async function openModel(session: Session, command: Command): Promise<LanguageModel> {
  const source = modelSource(command)
  return loadModel(source, { ...loadOptions(session, command), kernels: await session.kernels() })
}
