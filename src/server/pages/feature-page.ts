import type { ExampleEffect } from '../../features/ablation-stage.js'
import type { FeatureDetail, FeatureExample } from '../../features/feature-detail.js'
import type { MapRow } from '../../features/feature-map.js'
import type { FeatureStore } from '../../features/feature-store.js'
import type { FeaturePage } from '../protocol.js'
import { exampleOf, shorter } from './example.js'

/** What a page shows besides what the feature store knows. */
export interface PageExtras {
  /** its row of the map; undefined without a map */
  place: MapRow | undefined
  /** effects of ablation on its examples; undefined where none was measured */
  effects: readonly ExampleEffect[] | undefined
}

/** The page of a feature, as the app gets it. */
export function pageOf(
  detail: FeatureDetail,
  { tokenizer, summary }: Pick<FeatureStore, 'tokenizer' | 'summary'>,
  { place, effects = [] }: PageExtras,
): FeaturePage {
  const { top, intervals, ...rest } = detail
  const named = (token: number) => ({ id: token, token: tokenizer.tokenText(token) })
  const weighted = ({ token, weight }: { token: number; weight: number }) => ({
    ...named(token),
    weight: shorter(weight),
  })
  const measured = new Map(effects.map((effect) => [placeIn(effect), logLikelihoods(effect)]))
  return {
    ...rest,
    hookName: summary.hookName,
    sampleTokens: summary.tokens,
    tokens: detail.tokens.map(({ token, ...counts }) => ({ ...named(token), ...counts })),
    topLogits: detail.topLogits.map(weighted),
    bottomLogits: detail.bottomLogits.map(weighted),
    neighbours: place?.neighbours ?? [],
    place: placeOf(place),
    intervals: summary.intervals,
    examples: [...top, ...intervals].map((example) =>
      exampleOf(example, tokenizer, measured.get(placeIn(example)) ?? null),
    ),
  }
}

/** Which example of its feature it is. */
const placeIn = ({ interval, rank }: Pick<FeatureExample, 'interval' | 'rank'>): string =>
  `${interval} ${rank}`

const logLikelihoods = ({ effects }: ExampleEffect): Float64Array =>
  Float64Array.from(effects, (effect) => effect ?? Number.NaN)

function placeOf(row: MapRow | undefined): FeaturePage['place'] {
  if (!row || row.x === null || row.y === null || row.order === null || row.cluster === null) return null
  const { x, y, order, cluster } = row
  return { x, y, order, cluster }
}
