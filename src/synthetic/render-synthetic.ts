import { basename } from 'node:path'
import { formatNumber } from '../progress/rate.js'
import { decimals, percent } from '../terminal/figures.js'
import { renderTable } from '../terminal/table.js'
import { groupColumns, groupRows, recoveryRows } from './recovery-report.js'
import { nameOfRun, type SyntheticRun } from './synthetic-run.js'

/** One autoencoder on a world of known features, for a terminal of 100 columns. */
export function renderSyntheticRun(run: SyntheticRun): string {
  const { config, trainSamples, samplesPerSecond, seconds, samples } = run
  const measure = [{ heading: 'measure', align: 'left' as const }, { heading: 'value' }, meaning]
  return [
    `${nameOfRun(config)}: ${formatNumber(config.features)} latents, trained on ${formatNumber(trainSamples)} samples in ` +
      `${formatNumber(seconds)} s (${formatNumber(samplesPerSecond)} a second), measured on ${formatNumber(samples)} others`,
    renderTable(measure, recoveryRows(run)),
    `Latents by the place of their nearest true feature in the hierarchy:\n${renderTable(groupColumns, groupRows(run.groups))}`,
  ].join('\n\n')
}

const meaning = { heading: 'meaning', align: 'left' as const }

/** Columns of a comparison. */
export const runColumns = [
  { heading: 'autoencoder', align: 'left' as const },
  { heading: 'L0' },
  { heading: 'F1' },
  { heading: 'precision' },
  { heading: 'recall' },
  { heading: 'MCC' },
  { heading: 'unique' },
  { heading: 'expl. var.' },
  { heading: 'dead' },
  { heading: 'samples' },
]

export const runRows = (runs: readonly SyntheticRun[]): string[][] =>
  runs.map((run) => [
    distinctName(run, runs),
    decimals(run.l0, 1),
    decimals(run.f1, 3),
    decimals(run.precision, 3),
    decimals(run.recall, 3),
    decimals(run.mcc, 3),
    percent(run.uniqueness),
    percent(run.explainedVariance),
    percent(run.deadFraction),
    formatNumber(run.trainSamples),
  ])

/** The name of a run, and its directory where others have the same name. */
function distinctName(run: SyntheticRun, runs: readonly SyntheticRun[]): string {
  const name = nameOfRun(run.config)
  const namesakes = runs.filter(({ config }) => nameOfRun(config) === name)
  return namesakes.length === 1 ? name : `${name} (${basename(run.directory)})`
}

/** Several of them, a line each. */
export const renderSyntheticTable = (runs: readonly SyntheticRun[]): string =>
  renderTable(runColumns, runRows(runs))
