import type { Tokenizer } from '../corpus/tokenizer.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { FeatureRow, FeatureStore } from '../features/feature-store.js'
import type { Predicate } from '../interp/predicates.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { conceptShare, countConcept } from './concept-share.js'
import { type EditOptions, featureEdits } from './feature-edits.js'
import { type InfluenceOptions, writeAll } from './influence.js'
import { createSteering } from './steering.js'
import type { SteerInputs } from './strength-sweep.js'

/**
 * Live features whose strongest output tokens are of a concept, most of them first. Finds nothing for concepts that single tokens do not
 * show, like DNA: case studies find those.
 * @param least smallest share of the output tokens that has to be of the concept
 */
export async function conceptFeatures(
  store: Pick<FeatureStore, 'list'>,
  tokenizer: Pick<Tokenizer, 'decode'>,
  concept: Predicate,
  least = 0.5,
): Promise<number[]> {
  const rows = await store.list({ sort: 'id', limit: Number.MAX_SAFE_INTEGER })
  const share = ({ topTokens }: FeatureRow): number => {
    const held = topTokens.filter((token) => {
      const { inside, characters } = countConcept(concept, tokenizer.decode([token]))
      return 2 * inside > characters
    })
    return held.length / Math.max(1, topTokens.length)
  }
  return rows
    .filter(({ fires }) => fires > 0)
    .map((row) => ({ feature: row.feature, share: share(row) }))
    .filter((one) => one.share >= least)
    .sort((a, b) => b.share - a.share || a.feature - b.feature)
    .map(({ feature }) => feature)
}

/** A feature and what steering with it did in a short trial. */
export interface Trial {
  feature: number
  /** share of the characters of all continuations that are of the concept; null where nothing was written */
  share: number | null
}

export interface TrialOptions
  extends EditOptions,
    Pick<InfluenceOptions, 'scope' | 'concept' | 'prompts' | 'writing'> {
  candidates: readonly number[]
}

/**
 * Steers with each candidate, one continuation of each prompt, and ranks them by the share of the concept, largest first. The random
 * numbers are not those of `measureInfluence`, so that what it then says of the best is not flattered by the choice.
 * @throws MonosemError missing (no candidates), interrupted, and as `measureInfluence`
 */
export async function tryFeatures(
  inputs: SteerInputs,
  options: TrialOptions,
  context: StageContext,
): Promise<Trial[]> {
  const { candidates, concept, prompts, scope, mode } = options
  if (candidates.length === 0)
    throw new MonosemError('missing', `influence: found no feature to try for ${concept.name}`, {
      hint: 'name one with --feature; monosem case-studies finds features that track a concept',
    })
  const task = context.progress.start('try features', candidates.length, 'features')
  const writing = { ...options.writing, seed: Random.named(options.writing.seed, 'influence trial').uint32() }
  const trials: Trial[] = []
  for (const feature of candidates) {
    throwIfInterrupted(context.signal)
    const edits = await featureEdits(inputs.store, [feature], options)
    const { model, sae, tokenizer } = inputs
    const steering = createSteering(model, sae, tokenizer.startOfText, edits, {
      scope,
      keepError: mode !== 'replace',
    })
    try {
      const { hooks } = steering
      const texts = await writeAll(inputs, prompts, writing, { signal: context.signal, hooks })
      trials.push({ feature, share: conceptShare(texts.map(({ text }) => countConcept(concept, text))) })
    } finally {
      steering.free()
    }
    task.update(trials.length)
  }
  task.end()
  return trials.sort((a, b) => (b.share ?? -1) - (a.share ?? -1) || a.feature - b.feature)
}
