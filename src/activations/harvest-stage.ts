import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import { freeTransformer } from '../model/transformer.js'
import type { StageContext } from '../progress/progress.js'
import { type FileEntry, type Json, runStage, type StageResult } from '../storage/stage.js'
import { harvest } from './harvest.js'
import type { HarvestConfig } from './harvest-config.js'

/**
 * The `activations` stage: runs a model over text and stores what it computes at some hook points. `openActivations` reads the directory.
 * @param paths model, corpus: finished directories; out: the directory to make
 * @throws MonosemError those of `runStage`, `openModelAndCorpus` and `harvest`
 */
export async function runHarvestStage(
  config: HarvestConfig,
  { out, corpus: corpusPath, model: modelPath }: { out: string; corpus: string; model: string },
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const given = Object.entries(config).filter(([, value]) => value !== undefined)
  const request = {
    stage: 'activations',
    out,
    config: Object.fromEntries(given) as Record<string, Json>,
    inputs: { corpus: corpusPath, model: modelPath },
    seed: config.seed,
  }
  const body = async (partial: string, hashed: Map<string, FileEntry>): Promise<void> => {
    const { model, corpus } = await openModelAndCorpus(context.kernels, request.inputs)
    const startOfText = corpus.tokenizer.startOfText
    const inputs = {
      model,
      modelName: model.name ?? model.config.family,
      split: corpus[config.split],
      startOfText,
    }
    try {
      await harvest(config, inputs, partial, hashed, context)
    } finally {
      freeTransformer(model)
    }
  }
  return runStage(request, body, context.ranks)
}
