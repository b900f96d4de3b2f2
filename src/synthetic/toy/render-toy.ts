import { decimals, percent } from '../../terminal/figures.js'
import { type Column, renderTable } from '../../terminal/table.js'
import { wrapToWidth } from '../../terminal/text-columns.js'
import type { Dictionary, Recovery } from './recovery.js'
import type { ToyGeometry, ToyRecovery, ToyReport } from './toy-report.js'

/** The stage's report for a terminal of 100 columns. */
export function renderToy({ claim, sweeps, geometry }: ToyReport): string {
  const parts = [renderClaim(claim)]
  if (sweeps) {
    parts.push(`The same toy model, other autoencoders\n\n${renderRecoveries([sweeps.dictionaries])}`)
    parts.push(`Other toy models\n\n${renderRecoveries(sweeps.models)}`)
  }
  if (geometry) parts.push(renderSparsity(geometry))
  return parts.join('\n\n')
}

function renderClaim(claim: ToyRecovery): string {
  const wrapped = (text: string): string => wrapToWidth(text, 100).join('\n')
  return [wrapped(describeModel(claim)), renderRecoveries([claim]), wrapped(recoveryLegend)].join('\n\n')
}

/** One sentence on the toy model that the claim is about. */
export function describeModel({ features, dimensions, density, represented }: ToyRecovery): string {
  const ratio = Number((features / dimensions).toFixed(2))
  return (
    `Toy model of superposition: ${features} features in ${dimensions} dimensions (${ratio}x overcomplete), each active in ` +
    `${percent(density, 2)} of the samples; ${represented} of them are represented (norm above 0.5)`
  )
}

/** Parameters of an autoencoder in a few words: `relu, lambda 4`. */
const describeDictionary = (dictionary: Dictionary): string =>
  dictionary.architecture === 'relu'
    ? `relu, lambda ${dictionary.l1Coefficient}`
    : `${dictionary.architecture}, k ${dictionary.k}`

/** What the columns of `recoveryTable` say. */
export const recoveryLegend =
  'recovered: true features that have a cosine of at least 0.95 with a learned one, as a share of all and of those that the toy model ' +
  'represents; MMCS: mean max cosine, from true to learned features and back; alive: learned features that fire at all; EV: explained variance'

/** Columns and cells of a table of recoveries, for terminals and pages alike. */
export function recoveryTable(models: readonly ToyRecovery[]): { columns: Column[]; rows: string[][] } {
  const columns: Column[] = [
    { heading: 'n / m' },
    { heading: 'density' },
    { heading: 'autoencoder', align: 'left' },
    { heading: 'F / n' },
    { heading: 'all', group: 'recovered' },
    { heading: 'repr.', group: 'recovered' },
    { heading: 'true→', group: 'MMCS' },
    { heading: '→true', group: 'MMCS' },
    { heading: 'alive' },
    { heading: 'L0' },
    { heading: 'EV' },
  ]
  const rows = models.flatMap((model) =>
    model.recoveries.flatMap((recovery) => (recovery ? [recoveryRow(model, recovery)] : [])),
  )
  return { columns, rows }
}

function recoveryRow({ features, dimensions, density }: ToyRecovery, recovery: Recovery): string[] {
  return [
    String(Number((features / dimensions).toFixed(2))),
    percent(density, 1),
    describeDictionary(recovery.dictionary),
    String(Number((recovery.dictionary.features / features).toFixed(2))),
    percent(recovery.recovered),
    percent(recovery.recoveredOfRepresented),
    decimals(recovery.trueToLearned, 3),
    decimals(recovery.learnedToTrue, 3),
    String(recovery.alive),
    decimals(recovery.l0, 2),
    percent(recovery.explainedVariance),
  ]
}

function renderRecoveries(models: readonly ToyRecovery[]): string {
  const { columns, rows } = recoveryTable(models)
  return renderTable(columns, rows)
}

function renderSparsity({ sparsity }: ToyGeometry): string {
  const [first] = sparsity
  const rows = sparsity.map((picture) => [
    percent(picture.distribution.density, 1),
    String(picture.represented),
    decimals(picture.dimensionsPerFeature, 3),
  ])
  const columns: Column[] = [{ heading: 'density' }, { heading: 'represented' }, { heading: 'D*' }]
  return `Dimensions per feature: ${first.norms.length} features in ${first.dimensions} dimensions\n\n${renderTable(columns, rows)}`
}
