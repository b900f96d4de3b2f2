import { formatNumber, formatSeconds } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'

/** How well one feature tracks one concept with an exact predicate, beside the best single neuron. */
export interface CaseStudySummary {
  name: string
  /** null where the text holds no tokens of this kind, or too few to choose and measure apart */
  feature: number | null
  /** Pearson correlation of the feature's activation with the predicate */
  correlation: number | null
  /** share of tokens of this kind among those that activate the feature above half its maximum */
  precisionAboveHalfMax: number | null
  /** share of the tokens of this kind on which the feature is active */
  recall: number | null
  bestNeuronCorrelation: number | null
}

/** How well explanations predict held-out text: mean Spearman scores; null of nothing. */
export interface ExplainSummary {
  /** features explained */
  explained: number
  spearman: number | null
  /** without features that are active on one token only */
  spearmanWithoutSingleToken: number | null
  singleTokenFeatures: number
  /** of the neuron that goes with each feature most, and of all neurons */
  bestNeuronSpearman: number | null
  neuronSpearman: number | null
  /** of explanations of other features */
  shuffledSpearman: number | null
}

/** The content of summary.json. Null stands for a number that the text does not define. */
export interface Summary {
  /** what the run takes from the start to the end, whatever was reused from earlier runs */
  seconds: number
  /** largest resident memory of the process, MiB */
  peakRssMiB: number
  threads: number
  model: {
    /** nats per token on validation text */
    valLoss: number
    bigramLoss: number
    unigramLoss: number
    bitsPerByte: number
    /** training speed */
    tokensPerSecond: number
  }
  sae: {
    features: number
    /** active features per token */
    l0: number
    explainedVariance: number | null
    /** against zero ablation */
    lossRecovered: number | null
    /** against mean ablation */
    lossRecoveredMean: number | null
    /** share of features that never fired on the evaluation sample; null where that is too small to call them dead */
    deadFraction: number | null
    /** training speed, activations per second */
    samplesPerSecond: number
  }
  caseStudies: CaseStudySummary[]
  explanations: ExplainSummary
}

/** The summary as a table for people: each figure, its value, and what it means. */
export function renderSummary({ model, sae, explanations, ...run }: Summary): string {
  const rows: string[][] = [
    ['transformer', 'validation loss', decimals(model.valLoss, 3), 'nats per token'],
    ['', 'bigram, unigram loss', baselines(model), 'nats per token, of tables of counts'],
    ['', 'compression', decimals(model.bitsPerByte, 3), 'bits per byte of validation text'],
    ['', 'training speed', formatNumber(Math.round(model.tokensPerSecond)), 'tokens per second'],
    ['autoencoder', 'features', formatNumber(sae.features), 'directions to explain an activation with'],
    ['', 'L0', decimals(sae.l0, 1), 'features active on a token, on average'],
    ['', 'explained variance', percent(sae.explainedVariance), 'of the variance of the activations'],
    ['', 'loss recovered, zero', percent(sae.lossRecovered), 'of the loss that zero ablation costs'],
    ['', 'loss recovered, mean', percent(sae.lossRecoveredMean), 'of the loss that mean ablation costs'],
    ['', 'dead features', percent(sae.deadFraction), 'never fired on the evaluation text'],
    ['', 'training speed', formatNumber(Math.round(sae.samplesPerSecond)), 'activations per second'],
    [
      'explanations',
      'Spearman, features',
      decimals(explanations.spearman, 3),
      'predicted against true activations',
    ],
    ['', 'Spearman, neurons', decimals(explanations.neuronSpearman, 3), 'the same for neurons'],
    ['', 'Spearman, shuffled', decimals(explanations.shuffledSpearman, 3), 'explanations of other features'],
    ['run', 'time', formatSeconds(run.seconds), 'all stages together'],
    ['', 'peak memory', `${formatNumber(Math.round(run.peakRssMiB))} MiB`, 'resident'],
    ['', 'threads', String(run.threads), ''],
  ]
  const columns: Column[] = [
    { heading: '', align: 'left' },
    { heading: 'measure', align: 'left' },
    { heading: 'value' },
    { heading: 'meaning', align: 'left' },
  ]
  return renderTable(columns, rows)
}

const baselines = ({ bigramLoss, unigramLoss }: Summary['model']): string =>
  `${decimals(bigramLoss, 3)}, ${decimals(unigramLoss, 3)}`
