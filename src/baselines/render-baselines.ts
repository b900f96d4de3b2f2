import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import { baselineKinds } from './baseline-kinds.js'
import type { BaselinesReport, DictionaryFigures } from './baselines-report.js'
import type { Headline } from './verdict.js'
import { conclusion, headlineLabels, showHeadline, verdictWords } from './verdict-words.js'

/** Rows of the table of figures: the dictionary, the one with the same budget where there is one, and the baselines. */
export function dictionaryRows(report: BaselinesReport): { label: string; figures: DictionaryFigures }[] {
  const { dictionary, sameBudget, baselines } = report
  return [
    { label: 'the dictionary', figures: dictionary },
    ...(sameBudget ? [{ label: 'the same, with the same budget', figures: sameBudget }] : []),
    ...baselines.map((baseline) => ({ label: baseline.label, figures: baseline })),
  ]
}

/** The whole report for a terminal of 100 columns. */
export function renderBaselines(report: BaselinesReport): string {
  const { tokens, documents } = report.dictionary.report
  return [
    `${report.hookName}: measured on ${formatNumber(tokens)} tokens of ${formatNumber(documents)} validation documents`,
    renderFigures(report),
    ...report.baselines.map((baseline) =>
      [
        `${baseline.label}: ${baselineKinds[baseline.name].meaning}`,
        ...baseline.verdicts.map(
          (verdict) => `  ${headlineLabels[verdict.headline].padEnd(22)}${verdictWords(verdict, baseline)}`,
        ),
      ].join('\n'),
    ),
    conclusion(report),
  ].join('\n\n')
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
