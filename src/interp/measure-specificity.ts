import type { TokenSplit } from '../corpus/corpus.js'
import { windowCount } from '../corpus/windows.js'
import { encodedWindows } from '../eval/encoded-windows.js'
import { requireSaeFits } from '../eval/sae-on-model.js'
import { sampleWindows } from '../eval/sample-windows.js'
import { activationOf } from '../features/example-slots.js'
import {
  type ProgressTask,
  type StageContext,
  silentProgress,
  throwIfInterrupted,
} from '../progress/progress.js'
import { requireFeature } from '../sae/require-feature.js'
import {
  addToConcept,
  type ConceptHistogram,
  type ConceptLevels,
  conceptColumns,
  conceptLevels,
  createConceptHistogram,
} from './concept-histogram.js'
import type { Predicate } from './predicates.js'
import type { SpecificityConfig } from './specificity-config.js'
import type { CaseStudyInputs } from './study-predicates.js'
import { createTokenLabeller, markWindows } from './token-labeller.js'

/** How well one feature tracks one concept, by level of activation. */
export interface FeatureSpecificity extends ConceptLevels {
  feature: number
  concept: string
  description: string
  /** why there is nothing to see: a dead feature, or a concept that holds nowhere (or everywhere); null otherwise */
  reason: string | null
  /** splits that the text came from */
  splits: string[]
  /** tokens on which the feature is active, in `plotColumns` equal intervals of (0, max]: the concept holds, or not */
  columns: { holds: number[]; others: number[] }
}

/** A property of tokens that someone else decides on, such as another thread. */
export interface TokenConcept extends Pick<Predicate, 'name' | 'description'> {
  /** marks of all tokens of some windows of T tokens, [windows * T] of 0 and 1; each split's windows come in ascending order */
  label(split: TokenSplit, windows: Int32Array): Promise<Uint8Array>
}

const plotColumns = 64

/**
 * Measures the specificity of features for a concept in one pass over text ("Towards Monosemanticity", "Detailed
 * investigations": the activations of a feature, split by whether a proxy for the concept holds). Text is sampled evenly from the
 * validation split; if the concept holds on fewer than `minPositives` of its tokens, what is left of the budget comes from the
 * training split, sampled evenly too. Memory depends on the longest document and the features asked for, not on the tokens.
 * @param context.pause awaited between batches, to let other work go first
 * @throws MonosemError missing (no such feature), shape (the autoencoder does not fit the model), config (the predicate failed),
 * interrupted
 */
export async function measureSpecificity(
  config: SpecificityConfig,
  features: readonly number[],
  concept: Predicate | TokenConcept,
  inputs: CaseStudyInputs,
  context: StageContext & { pause?(): Promise<void> } = { progress: silentProgress },
): Promise<FeatureSpecificity[]> {
  const { model, sae, corpus } = inputs
  requireSaeFits(model, sae)
  for (const feature of features) requireFeature(feature, sae.features)
  const size = model.config.context
  const histograms = features.map(createConceptHistogram)
  const splits: string[] = []
  const total = Math.min(
    config.tokens,
    size * (windowCount(corpus.validation, size) + windowCount(corpus.train, size)),
  )
  const task = context.progress.start(`specificity for ${concept.name}`, total, 'tokens')
  const run: Pass = { config, features, concept, inputs, context, histograms, task, done: 0 }
  for (const split of [corpus.validation, corpus.train]) {
    const left = config.tokens - run.done
    const enough = run.done > 0 && (histograms[0]?.sums.positives[0] ?? 0) >= config.minPositives
    if (enough || left < size || windowCount(split, size) < 1) continue
    await addSplit(run, split, left)
    splits.push(split.name)
  }
  task.end()
  return features.map((feature, i) => resultOf(feature, concept, splits, histograms[i], config.levels))
}

interface Pass {
  config: SpecificityConfig
  features: readonly number[]
  concept: Predicate | TokenConcept
  inputs: CaseStudyInputs
  context: StageContext & { pause?(): Promise<void> }
  /** one for each feature */
  histograms: ConceptHistogram[]
  task: ProgressTask
  /** tokens so far, <|endoftext|> included */
  done: number
}

async function addSplit(run: Pass, split: TokenSplit, tokens: number): Promise<void> {
  const { config, features, histograms, context } = run
  const { model, sae, corpus } = run.inputs
  const size = model.config.context
  const { startOfText } = corpus.tokenizer
  const label = labelling(run, split, size)
  const windows = sampleWindows(split, size, tokens)
  const { batchWindows } = config
  for await (const encoded of encodedWindows({ model, sae, split, startOfText, windows, batchWindows })) {
    throwIfInterrupted(context.signal)
    const marks = await label(encoded.windows)
    for (let row = 0; row < encoded.rows.length; row++) {
      const held = marks[encoded.rows[row]] === 1
      for (let i = 0; i < features.length; i++)
        addToConcept(histograms[i], activationOf(encoded.codes, row, features[i]), held)
    }
    run.done += encoded.windows.length * size
    run.task.update(run.done)
    await context.pause?.()
  }
}

/** Says which positions of a batch of windows the concept holds on. */
function labelling(
  { concept, inputs }: Pass,
  split: TokenSplit,
  size: number,
): (windows: Int32Array) => Uint8Array | Promise<Uint8Array> {
  if ('label' in concept) return (windows) => concept.label(split, windows)
  const holds = createTokenLabeller(split, inputs.corpus.tokenizer, concept)
  return (windows) => markWindows(holds, windows, size)
}

function resultOf(
  feature: number,
  concept: Pick<Predicate, 'name' | 'description'>,
  splits: readonly string[],
  histogram: ConceptHistogram,
  levels: number,
): FeatureSpecificity {
  const measured = conceptLevels(histogram, levels)
  return {
    feature,
    concept: concept.name,
    description: concept.description,
    reason: reasonOf(measured),
    splits: [...splits],
    ...measured,
    columns: conceptColumns(histogram, plotColumns),
  }
}

function reasonOf({ fires, tokens, positives }: ConceptLevels): string | null {
  if (fires === 0) return 'the feature is dead: it is active on no token of the sample'
  if (positives === 0) return 'the concept holds on no token of the sample'
  return positives === tokens ? 'the concept holds on every token of the sample' : null
}
