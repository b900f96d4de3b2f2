import type { SpecificityLevel } from './specificity.js'
import type { CaseStudy } from './study-predicates.js'

const share = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(1)}%`)
const decimals = (value: number | null, digits = 2): string => (value === null ? '–' : value.toFixed(digits))

/** A table of plain columns: the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  )
}

/**
 * The case studies as a table: the best feature of each beside the best neuron, then why some could not be
 * made.
 */
export function renderCaseStudies(studies: readonly CaseStudy[]): string {
  const heading = [
    'case study',
    'tokens',
    'feature',
    'corr.',
    'precision > max/2',
    'recall > 0',
    'neuron',
    'corr.',
    'precision > max/2',
  ]
  const rows = studies.map((study) => [
    study.name,
    study.positives.heldOut.toLocaleString('en-US'),
    study.feature === null ? '–' : String(study.feature),
    decimals(study.correlation),
    share(study.precisionAboveHalfMax),
    share(study.recall),
    study.bestNeuron === null ? '–' : `${study.bestNeuronSign === -1 ? '−' : ''}${study.bestNeuron}`,
    decimals(study.bestNeuronCorrelation),
    share(study.neuronPrecisionAboveHalfMax),
  ])
  const [first, ...lines] = table([heading, ...rows])
  const reasons = studies
    .filter(({ reason }) => reason !== null)
    .map(({ name, reason }) => `${name}: not studied, ${reason}`)
  return [first, '─'.repeat(first.length), ...lines, ...reasons].join('\n')
}

/**
 * One case study in full: precision, recall and log-likelihood ratio by activation level, feature beside
 * neuron.
 */
export function renderCaseStudy(study: CaseStudy): string {
  const title = `${study.name}: ${study.description}`
  if (study.reason !== null) return `${title}\nnot studied: ${study.reason}`
  const heading = [
    'activation above',
    'tokens',
    'precision',
    'recall',
    'log LR',
    'neuron tokens',
    'precision',
    'recall',
    'log LR',
  ]
  const cells = (level: SpecificityLevel | undefined): string[] =>
    level
      ? [
          level.tokens.toLocaleString('en-US'),
          share(level.precision),
          share(level.recall),
          decimals(level.logLikelihoodRatio, 1),
        ]
      : ['–', '–', '–', '–']
  const rows = study.levels.map((level, i) => [
    level.fraction === 0 ? '0' : `${level.fraction} max`,
    ...cells(level),
    ...cells(study.neuronLevels[i]),
  ])
  return [title, ...table([heading, ...rows])].join('\n')
}
