import { fitToWidth } from '../terminal/display-width.js'
import { percent } from '../terminal/figures.js'
import { printable } from '../terminal/printable.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { DashboardActivation, DashboardBatch } from './saedashboard.js'

/** The features of SAEDashboard's batches, one a line, the strongest token of the first example in «». */
export function renderDashboards(batches: readonly DashboardBatch[], width = 100): string {
  const features = batches.flatMap((batch) => batch.features)
  const [first] = batches
  const columns: Column[] = [
    { heading: 'feature' },
    { heading: 'density' },
    { heading: 'examples' },
    { heading: 'raises', align: 'left' },
    { heading: 'first example', align: 'left' },
  ]
  const rows = features.map((feature) => [
    String(feature.feature_index),
    percent(feature.frac_nonzero, 3),
    String(feature.activations.length),
    fitToWidth(oneLine(feature.pos_str.slice(0, 4).join(' ')), 24),
    fitToWidth(
      feature.activations[0] ? exampleText(feature.activations[0]) : '–',
      Math.max(20, width - 57),
    ).trimEnd(),
  ])
  const from = first ? ` of ${first.sae_set} on layer ${first.layer} of ${first.model_id}` : ''
  return `${features.length} features${from}\n\n${renderTable(columns, rows)}`
}

/** A few tokens around the one that the example is about. */
function exampleText({ tokens, values, qualifying_token_index }: DashboardActivation): string {
  const at = qualifying_token_index ?? values.indexOf(Math.max(...values))
  const marked = tokens.map((token, i) => (i === at ? `«${token}»` : token))
  return oneLine(marked.slice(Math.max(0, at - 6), at + 4).join(''))
}

/** Bytes of a character that was spread over tokens become it again. */
const oneLine = (text: string): string =>
  printable(
    text
      .replaceAll('\n', '↵')
      .replaceAll('\t', '⇥')
      .replace(/(?:⟨[0-9a-f]{2}⟩)+/g, joinedBytes),
  )

function joinedBytes(angled: string): string {
  const bytes = Uint8Array.from(angled.match(/[0-9a-f]{2}/g) ?? [], (hex) => Number.parseInt(hex, 16))
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return angled
  }
}
