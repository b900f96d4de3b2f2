import type { Tokenizer } from '../corpus/tokenizer.js'
import { decimals } from '../terminal/figures.js'
import { renderTable } from '../terminal/table.js'
import type { Ablation, ExampleEffect, FeatureEffect } from './ablation-stage.js'
import type { FeatureDetail } from './feature-store.js'
import { signed } from './render-parts.js'
import { segmentsOf } from './segments.js'
import { shadeInContext } from './shading.js'

/** How effects are shown. */
export interface AblationRenderOptions {
  tokenizer: Pick<Tokenizer, 'tokenBytes' | 'tokenText'>
  /** shade tokens with background colours and underline; otherwise active tokens are marked «token|0.8» */
  color: boolean
  /** columns; default 100 */
  width?: number
}

/** Features by their mean effect over the context, most negative first: those whose absence costs most. */
export const byEffect = (ablation: Ablation): FeatureEffect[] =>
  ablation.features.toSorted((a, b) => a.meanTotal - b.meanTotal || a.feature - b.feature)

/**
 * Features, one a line: mean effect of taking them out, and the example with the largest effect, lined up at the token whose
 * prediction changes most.
 * @param details of the features listed, by id
 */
export function renderEffects(
  effects: readonly FeatureEffect[],
  ablation: Ablation,
  details: ReadonlyMap<number, FeatureDetail>,
  options: AblationRenderOptions,
): string {
  const figures = effects.map(({ feature, meanEffect, meanTotal }) => [
    String(feature),
    signedOrNone(meanEffect),
    signed(meanTotal),
  ])
  const columns = [{ heading: 'feature' }, { heading: 'at its token' }, { heading: 'in the context' }]
  const [headings, rule, ...lines] = renderTable(columns, figures).split('\n')
  const used = Math.max(headings.length, rule.length) + 2
  const room = Math.max(20, (options.width ?? 100) - used)
  const widths = { left: Math.floor(room * 0.6), right: room - Math.floor(room * 0.6) }
  const about = `${'text'.padEnd(widths.left)}predicted`
  return [
    `${headings.padEnd(used)}${about}`,
    `${rule.padEnd(used)}${'─'.repeat(room)}`,
    ...lines.map(
      (line, i) =>
        `${line.padEnd(used)}${largestExample(effects[i].feature, ablation, details, widths, options)}`,
    ),
  ]
    .map((line) => line.trimEnd())
    .join('\n')
}

/** The text of the example with the largest effect, lined up at the token whose prediction changed most. */
function largestExample(
  feature: number,
  ablation: Ablation,
  details: ReadonlyMap<number, FeatureDetail>,
  widths: { left: number; right: number },
  { color, tokenizer }: AblationRenderOptions,
): string {
  const detail = details.get(feature)
  const examples = detail ? [...detail.top, ...detail.intervals] : []
  const size = ({ total }: ExampleEffect): number => Math.abs(total)
  const effect = ablation.ofFeature(feature).toSorted((a, b) => size(b) - size(a))[0]
  const example = examples.find(
    ({ interval, rank }) => interval === effect?.interval && rank === effect?.rank,
  )
  if (!detail || !example) return ''
  const changed = largestIndex(effect.effects.map((value) => Math.abs(value ?? 0)))
  const focus = Math.min(changed + 1, example.tokens.length - 1)
  const segments = segmentsOf(example.tokens, example.activations, tokenizer)
  return shadeInContext(segments, focus, widths, { color, max: detail.max })
}

const largestIndex = (values: readonly number[]): number => values.indexOf(Math.max(...values))

/** "–" where there is none. */
const signedOrNone = (value: number | null): string => (value === null ? decimals(null, 2) : signed(value))
