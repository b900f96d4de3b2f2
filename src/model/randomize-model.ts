import { join } from 'node:path'
import { loadTokenizer } from '../corpus/tokenizer.js'
import { writeTokenizer } from '../corpus/tokenizer-source.js'
import type { Kernels } from '../kernels/kernels.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { loadTransformer, saveTransformer } from './model-files.js'
import type { RandomizeConfig } from './randomize-config.js'
import {
  fillInitial,
  freeTransformer,
  type ParameterSpec,
  parameterCount,
  parameterSpecs,
  type Transformer,
} from './transformer.js'

/**
 * Makes a model directory of the same architecture and tokenizer from which training is gone, so that every later stage works on it: what an
 * autoencoder finds there is owed to the architecture and the text, not to what the model learned.
 * @param paths model: a finished model directory; out: the directory to make
 * @throws MonosemError missing, corrupt, format, shape, interrupted, and those of `runStage`
 */
export async function randomizeModel(
  config: RandomizeConfig,
  paths: { model: string; out: string },
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { model: directory, out } = paths
  const inputs = { model: directory }
  return runStage(
    { stage: 'model', out, config: { ...config }, inputs, seed: config.seed },
    async (partial) => {
      const tokenizer = await loadTokenizer(join(directory, 'tokenizer.json'))
      const model = await loadTransformer(context.kernels, directory, context)
      try {
        await randomizeParameters(model, config, context)
        await saveTransformer(model, partial)
      } finally {
        freeTransformer(model)
      }
      await writeTokenizer(partial, tokenizer)
      const metrics = { parameters: parameterCount(model.config) }
      await writeFileAtomic(join(partial, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`)
    },
  )
}

const embeddings = new Set(['embed.W_E', 'pos_embed.W_pos', 'unembed.W_U'])

/**
 * Replaces a model's parameters in place, each from a random stream of its own. `shuffle` and `gaussian` change matrices only: norms and biases
 * keep what they learned, as in the papers. Tied embeddings are one matrix and stay tied.
 * @throws MonosemError interrupted
 */
export async function randomizeParameters(
  { kernels, config: transformer, params }: Transformer,
  { method, keepEmbeddings, seed }: RandomizeConfig,
  context: StageContext,
): Promise<void> {
  for (const [name, spec] of Object.entries(parameterSpecs(transformer))) {
    throwIfInterrupted(context.signal)
    if (keepEmbeddings && embeddings.has(name)) continue
    if (method !== 'init' && spec.shape.length < 2) continue
    const values = await kernels.readF32(params[name])
    replace[method](values, spec, Random.named(seed, `${method} ${name}`))
    kernels.write(params[name], values)
  }
}

/** New values in place of those of one parameter. */
const replace: Record<
  RandomizeConfig['method'],
  (values: Float32Array, spec: ParameterSpec, random: Random) => void
> = {
  shuffle: (values, _, random) => random.shuffle(values),
  gaussian: (values, _, random) => {
    const { mean, deviation } = moments(values)
    for (let i = 0; i < values.length; i++) values[i] = mean + deviation * random.normal()
  },
  init: (values, { init }, random) => fillInitial(values, init, random),
}

/** Mean and standard deviation (over n), in double precision. */
function moments(values: Float32Array): { mean: number; deviation: number } {
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) ** 2
  return { mean, deviation: Math.sqrt(squares / values.length) }
}
