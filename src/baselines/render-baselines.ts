import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import { wrapToWidth } from '../terminal/text-columns.js'
import type { BaselinesReport, DictionaryFigures } from './baselines-report.js'
import type { Headline } from './verdict.js'
import { conclusion, headlineLabels, outcomeLabels, showHeadline, verdictWords } from './verdict-words.js'

/** Rows of the table of figures: the dictionary, the one with the same budget where there is one, and the baselines. */
export function dictionaryRows(report: BaselinesReport): { label: string; figures: DictionaryFigures }[] {
  const { dictionary, sameBudget, baselines } = report
  return [
    { label: 'the dictionary', figures: dictionary },
    ...(sameBudget ? [{ label: 'the same, with the same budget', figures: sameBudget }] : []),
    ...baselines.map((baseline) => ({ label: baseline.label, figures: baseline })),
  ]
}

const width = 100

/** The whole report for a terminal of 100 columns. */
export function renderBaselines(report: BaselinesReport): string {
  const { tokens, documents } = report.dictionary.report
  const wrapped = (text: string): string => wrapToWidth(text, width).join('\n')
  return [
    `${report.hookName}: measured on ${formatNumber(tokens)} tokens of ${formatNumber(documents)} validation documents`,
    renderFigures(report),
    renderVerdicts(report),
    ...report.baselines.flatMap((baseline) =>
      baseline.verdicts
        .filter(({ reason }) => reason !== null)
        .map((verdict) => wrapped(`${headlineLabels[verdict.headline]}: ${verdictWords(verdict, baseline)}`)),
    ),
    wrapped(conclusion(report)),
  ].join('\n\n')
}

/** The difference is the dictionary's figure less the baseline's, so that more is better. */
function renderVerdicts({ baselines }: BaselinesReport): string {
  const columns: Column[] = [
    { heading: 'baseline', align: 'left' },
    { heading: 'headline', align: 'left' },
    { heading: 'the dictionary', align: 'left' },
    { heading: 'better by' },
    { heading: '95% interval' },
  ]
  const rows = baselines.flatMap(({ label, verdicts }) =>
    verdicts.map(({ headline, outcome, advantage, interval }, i) => [
      i === 0 ? label : '',
      headlineLabels[headline],
      outcomeLabels[outcome],
      showHeadline(headline, advantage),
      interval === null ? '–' : interval.map((end) => showHeadline(headline, end)).join(' to '),
    ]),
  )
  return renderTable(columns, rows)
}

function renderFigures(report: BaselinesReport): string {
  const columns: Column[] = [
    { heading: '', align: 'left' },
    { heading: 'L0' },
    { heading: 'expl. var.' },
    { heading: 'recovered 0' },
    { heading: 'recovered mean' },
    { heading: 'KL' },
    { heading: 'dead' },
  ]
  const rows = dictionaryRows(report).map(({ label, figures: { report: found } }) => {
    const show = (headline: Headline): string => showHeadline(headline, found[headline])
    return [
      label,
      decimals(found.l0, 1),
      ...[show('explainedVariance'), show('lossRecovered'), show('lossRecoveredMean'), show('kl')],
      percent(found.deadFraction),
    ]
  })
  return renderTable(columns, rows)
}
