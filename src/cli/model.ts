import { join } from 'node:path'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { loadTokenizer } from '../corpus/tokenizer.js'
import { modelConfigSchema } from '../model/model-config.js'
import { loadTransformer, runModelStage } from '../model/model-stage.js'
import { sample } from '../model/sample.js'
import { type SampleConfig, sampleConfigSchema } from '../model/sample-config.js'
import type { Json } from '../storage/stage.js'
import { printable } from '../terminal/printable.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import type { Session } from './session.js'
import { readStageJson } from './stage-json.js'

/** `monosem model train` and `monosem model sample` */
export function addModel(program: Command): void {
  const model = program.command('model').description('the transformer: train it, let it write')
  addTrain(model)
  addSample(model)
}

function addTrain(model: Command): void {
  const command = addCommand(
    model,
    'train',
    {
      description: 'Train a small decoder-only transformer on a corpus.',
      example:
        'monosem model train --run runs/demo --layers 2 --train-tokens 20_000_000 --out runs/two-layers/model',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus'], 'model')
      const config = readFlags(command, modelConfigSchema)
      const result = await runModelStage(config, paths, {
        ...session.context,
        kernels: await session.kernels(),
      })
      const metrics = await readStageJson<Record<string, Json>>(result.directory, 'model', 'metrics.json')
      return { json: { ...result, ...metrics }, text: `${madeOrReused(result)}\n${renderJson(metrics)}` }
    },
  )
  addFlags(addPaths(command, ['corpus'], 'model'), modelConfigSchema)
}

function addSample(model: Command): void {
  const command = addCommand(
    model,
    'sample',
    {
      description: 'Let a trained transformer continue a text.',
      example: "monosem model sample --run runs/demo --prompt 'export function ' --temperature 0.6",
    },
    async (session, command) => {
      const { model } = readPaths(command, ['model'])
      const config = readFlags(command, sampleConfigSchema)
      const [continuation] = await sampleTexts(session, model, [config])
      return {
        json: { prompt: config.prompt, continuation: continuation ?? '' },
        text: printable(config.prompt + continuation),
      }
    },
  )
  addFlags(addPaths(command, ['model']), sampleConfigSchema)
}

/** Continues texts, one after the other, with the model of a finished model directory. */
export async function sampleTexts(
  session: Session,
  directory: string,
  configs: readonly Partial<SampleConfig>[],
): Promise<string[]> {
  const transformer = await loadTransformer(await session.kernels(), directory)
  const tokenizer = await loadTokenizer(join(directory, 'tokenizer.json'))
  const texts: string[] = []
  for (const config of configs) {
    let text = ''
    for await (const piece of sample(transformer, tokenizer, config, { signal: session.context.signal }))
      text += piece
    texts.push(text)
  }
  return texts
}
