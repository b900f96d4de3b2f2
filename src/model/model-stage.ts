import { join } from 'node:path'
import { openCorpus } from '../corpus/corpus.js'
import { writeTokenizer } from '../corpus/tokenizer-source.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { evaluateModel, type ModelEvaluation } from './evaluate-model.js'
import type { ModelConfig } from './model-config.js'
import { saveTransformer } from './model-files.js'
import { trainNgram } from './ngram.js'
import { trainModel } from './train-model.js'
import {
  createTransformer,
  freeTransformer,
  parameterCount,
  type TransformerConfig,
  transformerConfig,
} from './transformer.js'

export { loadTransformer } from './model-files.js'

/** `metrics.json` of a model directory. */
export interface ModelMetrics extends ModelEvaluation {
  /** training speed, checkpoints included */
  tokensPerSecond: number
  /** tokens trained on */
  trainTokens: number
  /** trainable numbers */
  parameters: number
}

/**
 * The `model` stage: trains a transformer on a corpus, measures it beside n-gram baselines. The directory
 * holds model.safetensors, model.json, tokenizer.json, metrics.json and metrics.jsonl (the training curve).
 * @param paths corpus: a finished corpus directory; out: the directory to make
 * @throws MonosemError config, missing, corrupt, busy, io, interrupted (resumable), diverged
 */
export async function runModelStage(
  config: ModelConfig,
  paths: { corpus: string; out: string },
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, corpus: directory } = paths
  const request = {
    stage: 'model',
    out,
    config: { ...config },
    inputs: { corpus: directory },
    seed: config.seed,
  }
  return runStage(request, async (partial) => {
    const corpus = await openCorpus(directory)
    const sizes = sizesOf(config, corpus.tokenizer.vocabularySize)
    const model = createTransformer(context.kernels, sizes, config.seed)
    const training = await trainModel(model, corpus.train, config, partial, context)
    const ngram = trainNgram(corpus.train.tokens, sizes.vocabularySize, corpus.tokenizer.startOfText)
    const evaluation = await evaluateModel(model, ngram, corpus.validation, corpus.tokenizer, config, context)
    await saveTransformer(model, partial)
    freeTransformer(model)
    await writeTokenizer(partial, corpus.tokenizer)
    const metrics: ModelMetrics = {
      ...evaluation,
      tokensPerSecond: training.tokensPerSecond,
      trainTokens: training.trainTokens,
      parameters: parameterCount(sizes),
    }
    await writeFileAtomic(join(partial, 'metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`)
    const lines = training.metrics.map((line) => `${JSON.stringify(line)}\n`)
    await writeFileAtomic(join(partial, 'metrics.jsonl'), lines.join(''))
  })
}

/** The sizes among a stage's options. */
function sizesOf(config: ModelConfig, vocabularySize: number): TransformerConfig {
  const { layers, dModel, heads, dMlp, context } = config
  return transformerConfig({ layers, dModel, heads, dMlp, context, vocabularySize }, 'model')
}
