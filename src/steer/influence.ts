import type { Predicate } from '../interp/predicates.js'
import { type Continuation, continueTexts } from '../model/generate.js'
import type { GenerateConfig } from '../model/sample-config.js'
import type { StageContext } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { type ConceptCount, conceptShare, countConcept } from './concept-share.js'
import type { FeatureEdit, Steering, TokenScope } from './steering.js'
import { createSteering } from './steering.js'
import type { SteerInputs } from './strength-sweep.js'

/** A figure with the interval that holds 95% of its bootstrap resamples. */
export interface Interval {
  value: number
  low: number
  high: number
}

/** How much steering raises the share of a concept in what the model writes. */
export interface Influence {
  concept: string
  edits: readonly FeatureEdit[]
  /** continuations, as many with steering as without */
  texts: number
  /** share of the characters (blanks left out) of all continuations together that are of the concept; null where none were written */
  unsteered: Interval | null
  steered: Interval | null
  /** steered - unsteered */
  difference: Interval | null
  /** share of the steered continuations with any of the concept, and of the others */
  steeredTexts: number
  unsteeredTexts: number
  /** the first prompts with both continuations */
  examples: { prompt: string; unsteered: Continuation; steered: Continuation }[]
}

export interface InfluenceOptions {
  edits: readonly FeatureEdit[]
  scope: TokenScope
  keepError: boolean
  concept: Predicate
  prompts: readonly string[]
  /** continuations of each prompt */
  samples: number
  /** bootstrap resamples */
  resamples: number
  writing: Partial<GenerateConfig> & { seed: number }
}

/** Texts written at once; bounds the memory for caches. */
const textsAtOnce = 32
const shownExamples = 5

/**
 * The influence test of "Towards Monosemanticity" made into a number: neutral prompts are continued with and without steering, with the
 * same random numbers, and the concept is counted by its exact predicate. The interval is a percentile bootstrap over continuations
 * (a steered and an unsteered one together), because characters of one text are not independent.
 * @throws MonosemError config, missing, diverged, interrupted
 */
export async function measureInfluence(
  inputs: Omit<SteerInputs, 'store'>,
  options: InfluenceOptions,
  context: StageContext,
): Promise<Influence> {
  const { model, sae, tokenizer } = inputs
  const { edits, concept, scope, keepError } = options
  const prompts = options.prompts.flatMap((prompt) => Array.from({ length: options.samples }, () => prompt))
  const steering = createSteering(model, sae, tokenizer.startOfText, edits, { scope, keepError })
  try {
    const task = context.progress.start('influence', 2 * prompts.length, 'texts')
    const write = (done: number, hooks?: Steering['hooks']) =>
      writeAll(inputs, prompts, options.writing, { signal: context.signal, hooks }, (count) =>
        task.update(done + count),
      )
    const unsteered = await write(0)
    const steered = await write(prompts.length, steering.hooks)
    task.end()
    const count = (texts: readonly Continuation[]) => texts.map(({ text }) => countConcept(concept, text))
    const counts = { steered: count(steered), unsteered: count(unsteered) }
    return {
      concept: concept.name,
      edits,
      texts: prompts.length,
      ...bootstrapShares(counts, options.resamples, options.writing.seed),
      steeredTexts: shareWithAny(counts.steered),
      unsteeredTexts: shareWithAny(counts.unsteered),
      examples: Array.from({ length: Math.min(shownExamples, options.prompts.length) }, (_, i) => ({
        prompt: options.prompts[i],
        unsteered: unsteered[i * options.samples],
        steered: steered[i * options.samples],
      })),
    }
  } finally {
    steering.free()
  }
}

/** Continues prompts in batches, each with random numbers of its own. @throws MonosemError as `generate` */
export async function writeAll(
  { model, tokenizer }: Pick<SteerInputs, 'model' | 'tokenizer'>,
  prompts: readonly string[],
  writing: InfluenceOptions['writing'],
  context: { signal?: AbortSignal; hooks?: Steering['hooks'] },
  report: (done: number) => void = () => {},
): Promise<Continuation[]> {
  const written: Continuation[] = []
  for (let i = 0; i < prompts.length; i += textsAtOnce) {
    const seed = Random.named(writing.seed, `influence ${i / textsAtOnce}`).uint32()
    const some = prompts.slice(i, i + textsAtOnce)
    written.push(...(await continueTexts(model, tokenizer, some, { ...writing, seed }, context)))
    report(written.length)
  }
  return written
}

const shareWithAny = (counts: readonly ConceptCount[]): number =>
  counts.filter(({ inside }) => inside > 0).length / Math.max(1, counts.length)

/** Shares of both lists and their difference, with intervals from resampling pairs of continuations. */
export function bootstrapShares(
  counts: { steered: readonly ConceptCount[]; unsteered: readonly ConceptCount[] },
  resamples: number,
  seed: number,
): Pick<Influence, 'steered' | 'unsteered' | 'difference'> {
  const random = Random.named(seed, 'influence bootstrap')
  const n = counts.steered.length
  const draws: Record<'steered' | 'unsteered' | 'difference', number[]> = {
    steered: [],
    unsteered: [],
    difference: [],
  }
  for (let draw = 0; draw < resamples; draw++) {
    const chosen = Array.from({ length: n }, () => random.int(n))
    const steered = conceptShare(chosen.map((i) => counts.steered[i]))
    const unsteered = conceptShare(chosen.map((i) => counts.unsteered[i]))
    if (steered !== null) draws.steered.push(steered)
    if (unsteered !== null) draws.unsteered.push(unsteered)
    if (steered !== null && unsteered !== null) draws.difference.push(steered - unsteered)
  }
  const [steered, unsteered] = [conceptShare(counts.steered), conceptShare(counts.unsteered)]
  const difference = steered === null || unsteered === null ? null : steered - unsteered
  return {
    steered: interval(steered, draws.steered),
    unsteered: interval(unsteered, draws.unsteered),
    difference: interval(difference, draws.difference),
  }
}

function interval(value: number | null, draws: number[]): Interval | null {
  if (value === null || draws.length === 0) return null
  draws.sort((a, b) => a - b)
  const quantile = (q: number): number => draws[Math.round(q * (draws.length - 1))]
  return { value, low: quantile(0.025), high: quantile(0.975) }
}
