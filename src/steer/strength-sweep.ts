import type { Tokenizer } from '../corpus/tokenizer.js'
import type { FeatureStore } from '../features/feature-store.js'
import type { Predicate } from '../interp/predicates.js'
import { type Continuation, continueTexts } from '../model/generate.js'
import { promptTokens } from '../model/prompt-tokens.js'
import type { GenerateConfig } from '../model/sample-config.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import { conceptShare, countConcept } from './concept-share.js'
import { type EditOptions, featureEdits } from './feature-edits.js'
import { judgeTexts, type TextJudgement } from './judge-texts.js'
import { createSteering, type TokenScope } from './steering.js'

/** What steering works on. */
export interface SteerInputs {
  model: Transformer
  sae: Sae
  tokenizer: Tokenizer
  store: Pick<FeatureStore, 'get'>
}

/** Texts written at one strength. */
export interface SweepPoint extends TextJudgement {
  strength: number
  /** share of the characters that are of the concept; null without a concept */
  concept: number | null
  /** the first of the texts, without the prompt */
  example: Continuation
}

export interface SweepOptions extends Omit<EditOptions, 'strength'> {
  features: readonly number[]
  strengths: readonly number[]
  prompt: string
  /** texts for each strength */
  samples: number
  scope: TokenScope
  concept: Predicate | null
  writing: Partial<GenerateConfig>
}

/**
 * Effect against coherence: writes texts at each strength with the same random numbers and judges them under the unsteered model.
 * @throws MonosemError config (a strength that is no number, a prompt longer than the context), missing (no such feature, a dead one),
 * interrupted
 */
export async function strengthSweep(
  inputs: SteerInputs,
  options: SweepOptions,
  context: StageContext,
): Promise<SweepPoint[]> {
  const given = promptTokens(inputs.model, inputs.tokenizer, options.prompt)
  const task = context.progress.start('sweep', options.strengths.length, 'strengths')
  const points: SweepPoint[] = []
  for (const strength of options.strengths) {
    throwIfInterrupted(context.signal)
    points.push(await sweepPoint(inputs, options, strength, given, context))
    task.update(points.length)
  }
  task.end()
  return points
}

async function sweepPoint(
  { model, sae, tokenizer, store }: SteerInputs,
  options: SweepOptions,
  strength: number,
  given: Int32Array,
  { signal }: StageContext,
): Promise<SweepPoint> {
  const { features, mode, unit, concept } = options
  const edits = await featureEdits(store, features, { mode, unit, strength })
  const steering = createSteering(model, sae, tokenizer.startOfText, edits, {
    scope: options.scope,
    keepError: mode !== 'replace',
  })
  try {
    const prompts = Array.from({ length: options.samples }, () => options.prompt)
    const written = await continueTexts(model, tokenizer, prompts, options.writing, {
      hooks: steering.hooks,
      signal,
    })
    const texts = written.map(({ tokens }) => ({ tokens: [...given, ...tokens], promptLength: given.length }))
    return {
      strength,
      ...(await judgeTexts(model, sae, texts, steering)),
      concept: concept && conceptShare(written.map(({ text }) => countConcept(concept, text))),
      example: written[0],
    }
  } finally {
    steering.free()
  }
}
