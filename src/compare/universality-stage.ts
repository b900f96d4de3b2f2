import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { loadInputs } from '../eval/eval-stage.js'
import { readCaseStudies } from '../interp/case-studies.js'
import type { Kernels } from '../kernels/kernels.js'
import { openModelAndCorpus } from '../model/model-corpus.js'
import type { StageContext } from '../progress/progress.js'
import { loadSae } from '../sae/sae.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { openStage, readStageJson } from '../storage/open-stage.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { chooseExamples } from './choose-examples.js'
import { readExamples } from './example-texts.js'
import { summariseUniversality } from './summarise-universality.js'
import { measureUniversality } from './universality.js'
import type { UniversalityConfig } from './universality-config.js'
import type { Universality } from './universality-file.js'
import { renderUniversalityReport } from './universality-report.js'

/** The finished directories that the stage reads, and where it writes. */
export interface UniversalityPaths {
  corpus: string
  /** A */
  model: string
  sae: string
  /** B */
  withModel: string
  withSae: string
  /** case studies of A, whose features the report shows; null without */
  caseStudies: string | null
  out: string
}

/**
 * Runs the `universality` stage: compares two dictionaries that were trained on two models; writes universality.json and report.html. It takes a minute
 * or two, so it keeps no checkpoint: when interrupted it starts over.
 * @throws MonosemError config (an autoencoder of another model, models of other tokenizers, too little text), missing, shape, corrupt, diverged,
 *   interrupted
 */
export async function runUniversalityStage(
  config: UniversalityConfig,
  paths: UniversalityPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, caseStudies, withModel, withSae, ...own } = paths
  const inputs = {
    ...{ ...own, 'with-model': withModel, 'with-sae': withSae },
    ...(caseStudies !== null && { 'case-studies': caseStudies }),
  }
  const request = { stage: 'universality', out, config: { ...config }, inputs, seed: config.bootstrapSeed }
  return runStage(request, async (partial) => {
    await requireOwnModel(paths.sae, paths.model)
    await requireOwnModel(withSae, withModel)
    const { model, sae, corpus } = await loadInputs(paths, context.kernels)
    const { model: otherModel } = await openModelAndCorpus(context.kernels, { ...paths, model: withModel })
    const b = { model: otherModel, sae: await loadSae(context.kernels, withSae) }
    const split = corpus[config.split]
    const { startOfText } = corpus.tokenizer
    const measured = await measureUniversality(config, { a: { model, sae }, b, split, startOfText }, context)
    const universality = summariseUniversality(measured, config)
    await writeFileAtomic(join(partial, 'universality.json'), `${JSON.stringify(universality)}\n`)
    const studies = caseStudies === null ? [] : await readCaseStudies(caseStudies)
    const chosen = chooseExamples(universality, studies, config.examples)
    const examples = await readExamples(chosen, measured, startOfText)
    await writeFileAtomic(
      join(partial, 'report.html'),
      await renderUniversalityReport(universality, examples, corpus.tokenizer),
    )
  })
}

/** Both models have the same shapes: nothing else would say that an autoencoder reads the wrong one. */
async function requireOwnModel(sae: string, model: string): Promise<void> {
  if (!existsSync(join(sae, 'manifest.json'))) return
  const stage = await openStage(sae, 'sae')
  if ('model' in stage.manifest.inputs) await requireMadeFrom(stage, 'model', model)
}

/** Reads the figures of a finished `universality` directory. @throws MonosemError missing, corrupt, format */
export async function readUniversality(directory: string): Promise<Universality> {
  const read = await readStageJson<Universality>(directory, 'universality', 'universality.json')
  if (read.version !== 1)
    throw new MonosemError(
      'format',
      `${directory}/universality.json: expected version 1, got ${read.version}`,
      {
        hint: 'run `monosem compare universality` again',
      },
    )
  return read
}
