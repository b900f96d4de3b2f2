import { formatNumber } from '../progress/rate.js'
import { fitToWidth } from '../terminal/display-width.js'
import { percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { FoldInterval } from './classifier-metrics.js'
import type { FeatureName } from './feature-names.js'
import type { ProbeFeature, ProbeReport, ProbeResult } from './run-probes.js'

/**
 * Probes side by side, then the features that carry them.
 * @param names of the features, where they are known
 * @param features features shown for each probe and class
 */
export function renderProbes(
  report: ProbeReport,
  names: ReadonlyMap<number, FeatureName> = new Map(),
  features = 5,
): string {
  const sections = [heading(report), comparison(report), legend]
  const withFeatures = report.probes.filter((probe) => (probe.features ?? []).length > 0)
  const last = withFeatures.length > 0 ? [featureTable(report, withFeatures, names, features)] : []
  return [...sections, ...last].join('\n\n')
}

function heading(report: ProbeReport): string {
  const classes = report.classes.map(({ name, texts }) => `${name} ${formatNumber(texts)}`).join(', ')
  const long = `${formatNumber(report.longTexts)} of them longer than the context`
  const lines = [
    `${formatNumber(report.texts)} texts (${classes}), ${long}; ${report.pool} activations at ${report.hookName}`,
    `${report.folds} folds; always naming the largest class is right on ${percent(report.majority)}`,
  ]
  if (report.repeated > 0)
    lines.push(
      `${formatNumber(report.repeated)} texts left out because they were there before (${formatNumber(report.contradicting)} with another class)`,
    )
  return lines.join('\n')
}

function comparison({ probes }: ProbeReport): string {
  const columns: Column[] = [
    { heading: 'probe', align: 'left' },
    { heading: 'inputs used' },
    { heading: 'accuracy' },
    { heading: 'balanced' },
    { heading: 'F1' },
    { heading: 'ROC-AUC' },
  ]
  const rows = probes.map(({ name, columns, metrics }) => [
    name,
    columns >= 10 ? formatNumber(Math.round(columns)) : String(Number(columns.toFixed(1))),
    ...[metrics.accuracy, metrics.balancedAccuracy, metrics.f1, metrics.rocAuc].map(withInterval),
  ])
  return renderTable(columns, rows)
}

const withInterval = ({ mean, high }: FoldInterval): string =>
  `${(100 * mean).toFixed(1)} ±${(100 * (high - mean)).toFixed(1).padStart(4)}`

const legend = [
  'In percent: mean over the folds and its 95% interval. Balanced: mean over the classes of the share found. F1:',
  'mean over the classes. Inputs used: features, activations or tokens with a weight, all classes together.',
  'Weight: in log odds, for each standard deviation of the pooled activation. Folds: in how many the probe uses it too.',
].join('\n')

function featureTable(
  { classes }: ProbeReport,
  probes: readonly ProbeResult[],
  names: ReadonlyMap<number, FeatureName>,
  features: number,
): string {
  const columns: Column[] = [
    { heading: 'probe', align: 'left' },
    { heading: 'speaks for', align: 'left' },
    { heading: 'feature' },
    { heading: 'weight' },
    { heading: 'folds' },
    ...(names.size > 0 ? [{ heading: 'strongest on', align: 'left' } as const] : []),
  ]
  const rows = probes.flatMap(({ name, features: used, folds }) => {
    const groups = new Set(used?.map((each) => each.class))
    const shown = [...groups].flatMap((name) =>
      (used ?? []).filter((each) => each.class === name).slice(0, features),
    )
    return shown.map((feature, i) => [
      i === 0 ? name : '',
      fitToWidth(classText(feature, classes), 16).trimEnd(),
      String(feature.feature),
      Math.abs(feature.weight).toFixed(2),
      `${feature.folds}/${folds.length}`,
      described(feature, names),
    ])
  })
  return renderTable(columns, rows)
}

/** The class that a feature speaks for: of two, a negative weight means the other one. */
function classText(feature: ProbeFeature, classes: ProbeReport['classes']): string {
  if (feature.weight >= 0) return feature.class
  const other = classes.find(({ name }) => name !== feature.class)
  return classes.length === 2 && other ? other.name : `not ${feature.class}`
}

function described({ feature }: ProbeFeature, names: ReadonlyMap<number, FeatureName>): string {
  const name = names.get(feature)
  if (!name) return ''
  const tokens = name.topTokens.map((token) => token.replaceAll(' ', '␣')).join(' ')
  return name.explanation === null ? tokens : `${name.explanation} (${tokens})`
}
