import type { Tokenizer } from '../corpus/tokenizer.js'
import { shortNumber } from '../features/shading.js'
import { fitToWidth } from '../terminal/display-width.js'
import { decimals, percent } from '../terminal/figures.js'
import { type Column, renderTable } from '../terminal/table.js'
import type { Agreement, Attribution, FeatureAttribution } from './attribution.js'

export interface RenderAttributionOptions {
  tokenizer: Pick<Tokenizer, 'tokenText'>
  /** lines to show */
  top: number
  /** columns */
  width: number
  /** what is known about features, by number; there is no such column where it is empty */
  explanations?: ReadonlyMap<number, string>
}

const signed = (value: number | null): string => {
  if (value === null) return '–'
  const digits = Math.abs(value).toFixed(3)
  return Number(digits) === 0 ? digits : `${value < 0 ? '−' : '+'}${digits}`
}

/** A table of the largest effects, with the sums of all and how well they agree with ablation. */
export function renderAttribution(attribution: Attribution, options: RenderAttributionOptions): string {
  const { tokenizer, top, explanations } = options
  const { features, metric, value, probability, total, error } = attribution
  const text = (token: number): string => JSON.stringify(tokenizer.tokenText(token))
  const what = {
    logit: `logit of ${text(metric.target)} above the mean of all`,
    'log-probability': `log-probability of ${text(metric.target)}`,
    'logit-difference': `logit of ${text(metric.target)} less that of ${text(metric.against ?? 0)}`,
  }[metric.kind]
  const explained = explanations !== undefined && explanations.size > 0
  const columns: Column[] = [
    { heading: 'feature' },
    { heading: 'position' },
    { heading: 'token', align: 'left' },
    { heading: 'activation' },
    { heading: 'grad × act' },
    { heading: 'direct' },
    { heading: 'ablation' },
    ...(explained ? [{ heading: 'explanation', align: 'left' as const }] : []),
  ]
  const rows = features
    .slice(0, top)
    .map((one) => [
      String(one.feature),
      ...place(one, attribution, tokenizer),
      shortNumber(one.activation),
      signed(one.gradientTimesActivation),
      signed(one.direct),
      signed(one.ablation),
      ...(explained
        ? [fitToWidth(explanations.get(one.feature) ?? '', Math.max(20, options.width - 80)).trimEnd()]
        : []),
    ])
  return [
    `${what}: ${value.toFixed(3)} (probability ${percent(probability)})`,
    renderTable(columns, rows),
    `all ${features.length} that can act: grad × act ${signed(total)}; the autoencoder's error: ${signed(error)}`,
    ...agreementLines(attribution),
  ].join('\n\n')
}

function place(
  { positions }: FeatureAttribution,
  { tokens }: Attribution,
  tokenizer: RenderAttributionOptions['tokenizer'],
): string[] {
  if (positions.length > 1) return [`${positions.length} of them`, '']
  return [
    String(positions[0]),
    fitToWidth(tokenizer.tokenText(tokens[positions[0]]).replaceAll(' ', '␣'), 16).trimEnd(),
  ]
}

function agreementLines({ agreement }: Attribution): string[] {
  if (agreement === null) return []
  const line = (name: string, { n, pearson, spearman }: Agreement): string[] => [
    name,
    String(n),
    decimals(pearson, 3),
    decimals(spearman, 3),
  ]
  const columns: Column[] = [
    { heading: 'against true ablation', align: 'left' },
    { heading: 'features' },
    { heading: 'Pearson' },
    { heading: 'Spearman' },
  ]
  return [
    renderTable(columns, [
      line('gradient × activation', agreement.gradient),
      line('direct (last position)', agreement.direct),
    ]),
  ]
}
