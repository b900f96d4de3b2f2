import type { TokenCorpus } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type EncodedBatch, encodedWindows } from '../eval/encoded-windows.js'
import { requireSaeFits } from '../eval/sae-on-model.js'
import { activationOf } from '../features/example-slots.js'
import type { Transformer } from '../model/transformer.js'
import {
  type ProgressTask,
  type StageContext,
  silentProgress,
  throwIfInterrupted,
} from '../progress/progress.js'
import type { Sae } from '../sae/sae.js'
import type { CaseStudiesConfig } from './case-studies-config.js'
import {
  addCodes,
  addDense,
  addToken,
  type CorrelationSums,
  correlations,
  createCorrelationSums,
} from './correlation-sums.js'
import { caseStudySample, countHalf, type Half, type LabelledSample } from './labelled-sample.js'
import { choosePredicates, type Predicate } from './predicates.js'
import { type Specificity, type SpecificityLevel, specificity } from './specificity.js'

/**
 * One case study: the feature that best tracks a predicate, beside the neuron that does. Both are chosen by
 * their correlation on one half of the sample and measured on the other. Where `reason` is not null there is
 * nothing to measure and every result is null.
 */
export interface CaseStudy {
  name: string
  description: string
  reason: string | null
  /** splits that the text came from */
  splits: string[]
  /** tokens of each half, and how many of them the predicate holds on */
  tokens: Record<Half, number>
  positives: Record<Half, number>
  feature: number | null
  /**
   * Pearson correlation of the feature's activation with the predicate, on the half that did not choose it
   */
  correlation: number | null
  /** the same on the half that chose it: higher, because it is the best of many */
  selectionCorrelation: number | null
  /** share of the tokens above half of the feature's maximum that the predicate holds on */
  precisionAboveHalfMax: number | null
  /** share of the predicate's tokens on which the feature is active at all */
  recall: number | null
  recallAboveHalfMax: number | null
  levels: SpecificityLevel[]
  /** the best features on the choosing half, best first */
  candidates: { feature: number; correlation: number }[]
  bestNeuron: number | null
  /** -1 where the neuron is low when the predicate holds: it is turned round before it is measured */
  bestNeuronSign: 1 | -1 | null
  bestNeuronCorrelation: number | null
  neuronPrecisionAboveHalfMax: number | null
  neuronRecallAboveHalfMax: number | null
  neuronLevels: SpecificityLevel[]
}

export interface CaseStudyInputs {
  model: Transformer
  sae: Sae
  corpus: Pick<TokenCorpus, 'train' | 'validation' | 'tokenizer'>
}

/**
 * Runs one case study for each predicate: one pass over the choosing half of the text finds the best feature
 * and neuron for each predicate (sums only), one over the other half keeps just their activations and
 * measures them.
 * @throws MonosemError config (no such predicate), missing, shape (the autoencoder does not fit the model),
 * interrupted
 */
export async function studyPredicates(
  config: CaseStudiesConfig,
  inputs: CaseStudyInputs,
  context: StageContext = { progress: silentProgress },
): Promise<CaseStudy[]> {
  const { model, sae, corpus } = inputs
  requireSaeFits(model, sae)
  const predicates = choosePredicates(config.names, config.patterns)
  if (predicates.length === 0) throw new MonosemError('config', 'case studies: no predicate was asked for')
  const samples = caseStudySample(corpus, { ...config, contextSize: model.config.context, predicates })
  const total = samples.reduce((n, { windows }) => n + windows.selection.length + windows.heldOut.length, 0)
  const task = context.progress.start('case studies', total * model.config.context, 'tokens')
  const run: PassOptions = { inputs, config, samples, context, task, done: 0 }
  const best = await chooseBest(run, predicates.length)
  const measured = await measureBest(run, best)
  task.end()
  const counts = { selection: countHalf(samples, 'selection'), heldOut: countHalf(samples, 'heldOut') }
  return predicates.map((predicate, p) => {
    const tokens = { selection: counts.selection.tokens, heldOut: counts.heldOut.tokens }
    const positives = { selection: counts.selection.positives[p], heldOut: counts.heldOut.positives[p] }
    const splits = samples.map(({ split }) => split.name)
    return studyOf(predicate, { splits, tokens, positives }, best[p], measured[p])
  })
}

interface PassOptions {
  inputs: CaseStudyInputs
  config: CaseStudiesConfig
  samples: LabelledSample[]
  context: StageContext
  task: ProgressTask
  /** tokens of all passes so far */
  done: number
}

/** What the choosing half says about one predicate. */
interface Best {
  candidates: { feature: number; correlation: number }[]
  neuron: number
  sign: 1 | -1
}

const candidateCount = 5

async function chooseBest(run: PassOptions, predicates: number): Promise<Best[]> {
  const { sae } = run.inputs
  const features = createCorrelationSums(sae.features, predicates)
  const neurons = createCorrelationSums(sae.d, predicates)
  await eachToken(run, 'selection', (encoded, row, labels) => {
    addToken(features, labels)
    addCodes(features, encoded.codes, row, labels)
    addToken(neurons, labels)
    addDense(neurons, encoded.activations as Float32Array, row, labels)
  })
  return Array.from({ length: predicates }, (_, p) => bestOf(features, neurons, p))
}

function bestOf(features: CorrelationSums, neurons: CorrelationSums, predicate: number): Best {
  const byFeature = correlations(features, predicate)
  const candidates = Array.from(byFeature, (correlation, feature) => ({ feature, correlation }))
    .sort((a, b) => b.correlation - a.correlation || a.feature - b.feature)
    .slice(0, candidateCount)
  const byNeuron = correlations(neurons, predicate)
  let neuron = 0
  for (let j = 1; j < byNeuron.length; j++) if (Math.abs(byNeuron[j]) > Math.abs(byNeuron[neuron])) neuron = j
  return { candidates, neuron, sign: byNeuron[neuron] < 0 ? -1 : 1 }
}

interface Measured {
  feature: Specificity
  neuron: Specificity
}

async function measureBest(run: PassOptions, best: readonly Best[]): Promise<Measured[]> {
  const { d } = run.inputs.sae
  const { tokens } = countHalf(run.samples, 'heldOut')
  const kept = best.map(() => ({
    labels: new Uint8Array(tokens),
    feature: new Float32Array(tokens),
    neuron: new Float32Array(tokens),
  }))
  let next = 0
  await eachToken(run, 'heldOut', (encoded, row, labels) => {
    for (const label of labels) kept[label].labels[next] = 1
    for (let p = 0; p < best.length; p++) {
      const { candidates, neuron, sign } = best[p]
      kept[p].feature[next] = activationOf(encoded.codes, row, candidates[0].feature)
      kept[p].neuron[next] = sign * (encoded.activations as Float32Array)[row * d + neuron]
    }
    next++
  })
  return kept.map(({ labels, feature, neuron }) => ({
    feature: specificity(feature, labels),
    neuron: specificity(neuron, labels),
  }))
}

/**
 * Encodes one half of the samples and visits every token that counts, with the indices of the predicates that
 * hold on it.
 */
async function eachToken(
  run: PassOptions,
  half: Half,
  visit: (encoded: EncodedBatch, row: number, labels: number[]) => void,
): Promise<void> {
  const { inputs, config, context } = run
  const { model, sae, corpus } = inputs
  for (const { split, contextSize, windows, counted, labels } of run.samples) {
    const { startOfText } = corpus.tokenizer
    const options = {
      model,
      sae,
      split,
      startOfText,
      windows: windows[half],
      batchWindows: config.batchWindows,
    }
    for await (const encoded of encodedWindows({ ...options, withActivations: true })) {
      throwIfInterrupted(context.signal)
      for (let row = 0; row < encoded.rows.length; row++) {
        const position = encoded.rows[row]
        const window = encoded.windows[Math.floor(position / contextSize)]
        const token = window * contextSize + (position % contextSize)
        if (counted[token] === 0) continue
        const held: number[] = []
        for (let p = 0; p < labels.length; p++) if (labels[p][token] === 1) held.push(p)
        visit(encoded, row, held)
      }
      run.done += encoded.windows.length * contextSize
      run.task.update(run.done)
    }
  }
}

function studyOf(
  predicate: Predicate,
  sizes: Pick<CaseStudy, 'splits' | 'tokens' | 'positives'>,
  best: Best,
  { feature, neuron }: Measured,
): CaseStudy {
  const { name, description } = predicate
  const reason = whyNot(sizes.positives, best)
  if (reason !== null) return { name, description, reason, ...sizes, ...nothing() }
  const half = feature.levels.find((level) => level.fraction === 0.5)
  const neuronHalf = neuron.levels.find((level) => level.fraction === 0.5)
  return {
    name,
    description,
    reason,
    ...sizes,
    feature: best.candidates[0].feature,
    correlation: feature.correlation,
    selectionCorrelation: best.candidates[0].correlation,
    precisionAboveHalfMax: half?.precision ?? null,
    recall: feature.levels[0].recall,
    recallAboveHalfMax: half?.recall ?? null,
    levels: feature.levels,
    candidates: best.candidates,
    bestNeuron: best.neuron,
    bestNeuronSign: best.sign,
    bestNeuronCorrelation: neuron.correlation,
    neuronPrecisionAboveHalfMax: neuronHalf?.precision ?? null,
    neuronRecallAboveHalfMax: neuronHalf?.recall ?? null,
    neuronLevels: neuron.levels,
  }
}

function whyNot(positives: Record<Half, number>, best: Best): string | null {
  if (positives.selection + positives.heldOut === 0) return 'it holds on no token of the sample'
  if (positives.selection === 0 || positives.heldOut === 0)
    return 'all the tokens that it holds on are in one half of the documents, so nothing can be chosen and measured apart'
  return best.candidates[0].correlation > 0 ? null : 'no feature correlates with it'
}

const nothing = (): Omit<
  CaseStudy,
  'name' | 'description' | 'reason' | 'splits' | 'tokens' | 'positives'
> => ({
  feature: null,
  correlation: null,
  selectionCorrelation: null,
  precisionAboveHalfMax: null,
  recall: null,
  recallAboveHalfMax: null,
  levels: [],
  candidates: [],
  bestNeuron: null,
  bestNeuronSign: null,
  bestNeuronCorrelation: null,
  neuronPrecisionAboveHalfMax: null,
  neuronRecallAboveHalfMax: null,
  neuronLevels: [],
})
