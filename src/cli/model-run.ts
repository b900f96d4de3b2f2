import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { runConfigSchema } from '../model/run-config.js'
import { runFile } from '../model/run-file.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { addModelSource, openModel } from './model-source.js'

/** `monosem model run` */
export function addRun(model: Command): void {
  const command = addCommand(
    model,
    'run',
    {
      description:
        'Run a model on the token ids of a safetensors file (input_ids [B, T]) and write logits [B, T, V], loss [1] and the activations of hook points ' +
        '[B, T, width], each under its name, into another.',
      example:
        'monosem model run --model gpt2 --input in.safetensors --hook blocks.5.hook_resid_post --no-logits --out out.safetensors',
    },
    async (session, command) => {
      const config = readFlags(command, runConfigSchema)
      const path = (name: 'input' | 'out'): string => {
        const given: string | undefined = command.getOptionValue(name)
        if (given !== undefined) return given
        throw new MonosemError('config', `--${name}: expected a file, got nothing`)
      }
      const paths = { input: path('input'), output: path('out') }
      const model = await openModel(session, command)
      const summary = await runFile(model.transformer, config, paths, session.context)
      const { sequences, length, loss, tensors } = summary
      return {
        json: { model: model.name, out: paths.output, ...summary } as unknown as Json,
        text: [
          `wrote ${paths.output}: ${sequences} x ${length} tokens${loss === null ? '' : `, loss ${loss.toFixed(4)} nats`}`,
          ...Object.entries(tensors).map(([name, shape]) => `  ${name} [${shape.join(', ')}]`),
        ].join('\n'),
      }
    },
  )
  addModelSource(command)
    .option('--input <file>', 'safetensors file with input_ids [B, T] of I32 or I64')
    .option('--out <file>', 'safetensors file to write')
  addFlags(command, runConfigSchema)
}
