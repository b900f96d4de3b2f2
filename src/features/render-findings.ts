import { displayWidth, fitToWidth } from '../terminal/display-width.js'
import type { ExampleEffect } from './ablation-stage.js'
import type { FeatureExample } from './feature-detail.js'
import type { MapRow } from './feature-map.js'
import { bold, defaultWidth, dim, type RenderOptions, signed } from './render-parts.js'

/** What other stages found out about one feature, beside what the feature store holds. What is not there is not shown. */
export interface FeatureFindings {
  /** what it responds to, the best first, and who says so and with which scores */
  explanations?: readonly { text: string; source: string }[]
  place?: Pick<MapRow, 'cluster' | 'neighbours'>
  /** explanations of its neighbours, by feature */
  names?: ReadonlyMap<number, string>
  /** what its absence does to its examples */
  effects?: readonly ExampleEffect[]
}

/** Explanations and neighbours that a terminal shows. */
const shown = { explanations: 5, neighbours: 8 }

/** Explanations, one or two lines each. */
export function explanationPanel(
  { explanations = [] }: FeatureFindings,
  { color, width = defaultWidth }: RenderOptions,
): string[] {
  return explanations.slice(0, shown.explanations).flatMap(({ text, source }) => {
    const label = fitToWidth(text, width).trimEnd()
    const besides = width - displayWidth(label) - 2
    const note = fitToWidth(source, displayWidth(source) <= besides ? besides : width - 2).trimEnd()
    return displayWidth(source) <= besides
      ? [`${bold(label, color)}  ${dim(note, color)}`]
      : [bold(label, color), `  ${dim(note, color)}`]
  })
}

/** Features with the decoder directions most alike, with their explanations. */
export function neighbourPanel(
  { place, names }: FeatureFindings,
  { color, width = defaultWidth }: RenderOptions,
): string[] {
  if (!place || place.neighbours.length === 0) return []
  const cluster = place.cluster === null ? '' : `; the feature is in cluster ${place.cluster} of the map`
  const lines = place.neighbours
    .slice(0, shown.neighbours)
    .map(({ feature, cosine }) =>
      fitToWidth(
        `  ${String(feature).padStart(7)} ${signed(cosine).padStart(9)}  ${names?.get(feature) ?? ''}`,
        width,
      ),
    )
  return [`${bold('nearest by decoder', color)} ${dim(`(feature, cosine${cluster})`, color)}`, ...lines]
}

/** The mean effect over the examples in a sentence, and what the marks in them mean; nothing where there is none. */
export function effectText({ effects = [] }: FeatureFindings, { color }: RenderOptions): string[] {
  if (effects.length === 0) return []
  const mean = effects.reduce((sum, { total }) => sum + total, 0) / effects.length
  return [
    `effect of its absence on an example: ${signed(mean)} nats of log-likelihood (mean of ${effects.length}${color ? '; largest underlined' : ''})`,
  ]
}

/** What was measured on one example. */
export const effectOf = (
  { effects }: FeatureFindings,
  { interval, rank }: Pick<FeatureExample, 'interval' | 'rank'>,
): ExampleEffect | undefined =>
  effects?.find((effect) => effect.interval === interval && effect.rank === rank)

/** Changes smaller than this, in nats, are not worth a mark. */
const leastChange = 0.05

/**
 * Indices of the tokens whose prediction changes most without the feature: at least half as much as that of the most changed one.
 * `effects[i]` is about the token after `tokens[i]`.
 */
export function changedTokens({ effects }: Pick<ExampleEffect, 'effects'>): Set<number> {
  const sizes = effects.map((effect) => Math.abs(effect ?? 0))
  const least = Math.max(leastChange, Math.max(0, ...sizes) / 2)
  return new Set(sizes.flatMap((size, i) => (size >= least ? [i + 1] : [])))
}
