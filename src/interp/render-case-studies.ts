import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { SpecificityLevel } from './specificity.js'
import type { CaseStudy } from './study-predicates.js'

/** Grouped headings for a feature beside a neuron. */
const sideBySide = (feature: readonly string[], neuron: readonly string[]): Column[] => [
  ...feature.map((heading) => ({ heading, group: 'best feature' })),
  ...neuron.map((heading) => ({ heading, group: 'best single neuron' })),
]

/**
 * The case studies as a table: the best feature of each beside the best neuron, what the columns mean, and why some could not be
 * made.
 */
export function renderCaseStudies(studies: readonly CaseStudy[]): string {
  const columns: Column[] = [
    { heading: 'case study', align: 'left' },
    { heading: 'tokens' },
    ...sideBySide(
      ['id', 'corr.', 'precision', 'recall', 'recall > 0'],
      ['id', 'corr.', 'precision', 'recall'],
    ),
  ]
  const made = studies.filter(({ reason }) => reason === null)
  const notes = studies
    .filter(({ reason }) => reason !== null)
    .map(({ name, reason }) => `${name}: not studied, ${reason}`)
  const tables = made.length > 0 ? [renderTable(columns, made.map(cellsOf)), ...legend] : []
  return [...tables, ...notes].join('\n')
}

const cellsOf = (study: CaseStudy): string[] => [
  study.name,
  formatNumber(study.positives.heldOut),
  study.feature === null ? '–' : String(study.feature),
  decimals(study.correlation, 2),
  percent(study.precisionAboveHalfMax),
  percent(study.recallAboveHalfMax),
  percent(study.recall),
  study.bestNeuron === null ? '–' : `${study.bestNeuronSign === -1 ? '−' : ''}${study.bestNeuron}`,
  decimals(study.bestNeuronCorrelation, 2),
  percent(study.neuronPrecisionAboveHalfMax),
  percent(study.neuronRecallAboveHalfMax),
]

const legend = [
  'Corr.: correlation of the activation with "the token is of this kind". Precision: how many of the',
  'tokens above half of the largest activation are of the kind. Recall: how many tokens of the kind are',
  'above that half (or above 0). Chosen on one half of the documents, measured on the other; a minus',
  'before a neuron: it is low on the kind.',
]

/** One case study in full: precision, recall and log-likelihood ratio by activation level, feature beside neuron. */
export function renderCaseStudy(study: CaseStudy): string {
  const title = `${study.name}: ${study.description}`
  if (study.reason !== null) return `${title}\nnot studied: ${study.reason}`
  const figures = ['tokens', 'precision', 'recall', 'log LR']
  const columns: Column[] = [
    { heading: 'activation above', align: 'left' },
    ...figures.map((heading) => ({ heading, group: `feature ${study.feature}` })),
    ...figures.map((heading) => ({ heading, group: `neuron ${study.bestNeuron}` })),
  ]
  const rows = study.levels.map((level, i) => [
    level.fraction === 0 ? '0' : `${level.fraction} max`,
    ...levelCells(level),
    ...levelCells(study.neuronLevels[i]),
  ])
  return [title, renderTable(columns, rows)].join('\n')
}

/** What the columns of `renderCaseStudy` mean. */
export const levelLegend =
  'Log LR: log of how much likelier such an activation is on tokens of the kind than on others (nats).'

const levelCells = (level: SpecificityLevel | undefined): string[] =>
  level
    ? [
        formatNumber(level.tokens),
        percent(level.precision),
        percent(level.recall),
        decimals(level.logLikelihoodRatio, 1),
      ]
    : ['–', '–', '–', '–']
