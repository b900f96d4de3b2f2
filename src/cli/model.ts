import { join } from 'node:path'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { loadTokenizer } from '../corpus/tokenizer.js'
import { modelConfigSchema } from '../model/model-config.js'
import { loadTransformer, runModelStage } from '../model/model-stage.js'
import { sample } from '../model/sample.js'
import type { SampleConfig } from '../model/sample-config.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { addGenerate } from './model-generate.js'
import { addImport } from './model-import.js'
import { addInfo } from './model-info.js'
import { addRandomize } from './model-randomize.js'
import { addRun } from './model-run.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import type { Session } from './session.js'

/** `monosem model train`, `import`, `randomize`, `generate`, `run` and `info` */
export function addModel(program: Command): void {
  const model = program
    .command('model')
    .description('language models: train one, let one write, run one on token ids')
  addTrain(model)
  for (const add of [addImport, addRandomize, addGenerate, addRun, addInfo]) add(model)
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
