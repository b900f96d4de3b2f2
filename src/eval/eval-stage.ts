import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { singleRank } from '../distributed/communicator.js'
import { writeSafetensors } from '../formats/safetensors.js'
import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import type { StageContext } from '../progress/progress.js'
import { type ReadSae, type ReadSaeOptions, readSae } from '../sae/formats/read-sae.js'
import { type LoadedSae, loadSae, placeSae } from '../sae/sae.js'
import { sha256File, writeFileAtomic } from '../storage/atomic-file.js'
import { readStageJson } from '../storage/open-stage.js'
import { type Json, runStage, type StageResult } from '../storage/stage.js'
import type { EvalConfig } from './eval-config.js'
import { evalPage } from './eval-page.js'
import type { EvalReport } from './eval-report.js'
import { evaluateFeatures, type FeatureFigures } from './evaluate.js'

/** The finished directories that `eval`, `features` and `case-studies` read, and where they write. */
export interface AnalysisPaths {
  model: string
  sae: string
  corpus: string
  out: string
}

export const reportFile = 'report.html'

/**
 * Runs the `eval` stage: measures an autoencoder on validation text and writes eval.json, report.html and, feature by feature,
 * features.safetensors. It takes well under a minute, so it keeps no checkpoint: when interrupted it starts over. The ranks of `context` share the
 * passes over the text, each with the whole model and autoencoder; rank 0 writes, what one rank alone would have written.
 * @param paths finished directories; `sae` may also be an autoencoder in any layout that `loadSae` reads, on the disk or on the hub
 * @param saeOptions how one that is no directory of ours is read
 * @throws MonosemError missing, shape (the autoencoder does not fit the model), config, corrupt, diverged (activations are not finite)
 */
export async function runEvalStage(
  config: EvalConfig,
  paths: AnalysisPaths,
  context: StageContext & { kernels: Kernels },
  saeOptions: ReadSaeOptions = {},
): Promise<StageResult> {
  const { kernels, ranks = singleRank } = context
  const { model: modelPath, corpus: corpusPath, out } = paths
  // Rank 0 goes first: what it downloads is there for the others.
  if (ranks.rank > 0) await ranks.barrier()
  const source = await findSae(paths.sae, saeOptions)
  if (ranks.rank === 0) await ranks.barrier()
  const request = {
    stage: 'eval',
    out,
    config: { ...config, ...source.config },
    inputs: { model: modelPath, corpus: corpusPath, ...source.inputs },
  }
  const evaluateInto = async (partial: string): Promise<void> => {
    const { model, corpus } = await openModelAndCorpus(kernels, paths)
    using sae = await source.load(kernels)
    const evaluation = await evaluateFeatures(
      config,
      { model, sae, split: corpus.validation, startOfText: corpus.tokenizer.startOfText },
      context,
    )
    if (ranks.rank > 0) return
    const page = await evalPage(evaluation)
    await writeFileAtomic(join(partial, 'eval.json'), `${JSON.stringify(evaluation.report, null, 2)}\n`)
    await writeFileAtomic(join(partial, reportFile), page)
    await writeFeatureFigures(join(partial, 'features.safetensors'), evaluation.features)
  }
  return runStage(request, evaluateInto, ranks)
}

/** An autoencoder as an input of a stage. */
interface SaeSource {
  /** a finished directory of ours, whose manifest says what it is */
  inputs: { sae?: string }
  /** otherwise where its files are, their hashes, and how they were read: part of what was asked for */
  config: { sae?: Json }
  load(kernels: Kernels): Promise<LoadedSae>
}

async function findSae(source: string, options: ReadSaeOptions): Promise<SaeSource> {
  if (existsSync(join(source, 'manifest.json')))
    return { inputs: { sae: source }, config: {}, load: (kernels) => loadSae(kernels, source, options) }
  const read = await readSae(source, options)
  return {
    inputs: {},
    config: { sae: await describeFiles(read, options) },
    load: (kernels) => placeSae(kernels, read, options),
  }
}

async function describeFiles({ source, files }: ReadSae, options: ReadSaeOptions): Promise<Json> {
  const hashes: Record<string, string> = {}
  for (const path of files) hashes[basename(path)] = await sha256File(path)
  const { hookName, targetHookName, activationScale } = options
  return {
    name: source.name,
    repository: source.repository,
    files: hashes,
    ...(hookName !== undefined && { hookName }),
    ...(targetHookName !== undefined && { targetHookName }),
    ...(activationScale !== undefined && { activationScale }),
  }
}

/** fires, max_decoder_cosine and encoder_decoder_cosine [F]; those that are not defined are left out. */
function writeFeatureFigures(
  path: string,
  { fires, maxCosines, alignments }: FeatureFigures,
): Promise<unknown> {
  const shape = [fires.length]
  return writeSafetensors(path, {
    fires: { data: Uint32Array.from(fires), shape },
    ...(maxCosines && { max_decoder_cosine: { data: maxCosines, shape } }),
    ...(alignments && { encoder_decoder_cosine: { data: alignments, shape } }),
  })
}

/** Opens the model, the autoencoder and the corpus that an analysis reads. */
export async function loadInputs(paths: Omit<AnalysisPaths, 'out'>, kernels: Kernels) {
  const [{ model, corpus }, sae] = await Promise.all([
    openModelAndCorpus(kernels, paths),
    loadSae(kernels, paths.sae),
  ])
  return { model, sae, corpus }
}

/** Reads the report of a finished `eval` directory. */
export async function readEvalReport(directory: string): Promise<EvalReport> {
  return readStageJson<EvalReport>(directory, 'eval', 'eval.json')
}
