import { createHash } from 'node:crypto'
import type { FeatureDetail } from '../features/feature-detail.js'
import type { FeatureStore } from '../features/feature-store.js'
import { exampleOf, shorter } from './example.js'
import type { FeaturePage } from './protocol.js'

/** A page ready to be sent. */
export interface StoredPage {
  /** JSON of a `FeaturePage` */
  json: string
  /** changes when the content does */
  etag: string
}

export interface FeaturePages {
  /** @throws MonosemError missing (no such feature) */
  get(feature: number): Promise<StoredPage>
}

/** @param run the run's directory, for what is known besides the store (map, ablation) */
export function openFeaturePages(store: FeatureStore, _run: string): FeaturePages {
  return {
    async get(feature) {
      const json = JSON.stringify(pageOf(await store.get(feature), store))
      return { json, etag: `"${createHash('sha256').update(json).digest('base64url').slice(0, 22)}"` }
    },
  }
}

function pageOf(detail: FeatureDetail, { tokenizer, summary }: FeatureStore): FeaturePage {
  const { topExamplesAndIntervals, ...rest } = split(detail)
  const named = (token: number) => ({ id: token, token: tokenizer.tokenText(token) })
  return {
    ...rest,
    hookName: summary.hookName,
    sampleTokens: summary.tokens,
    tokens: detail.tokens.map(({ token, ...counts }) => ({ ...named(token), ...counts })),
    topLogits: detail.topLogits.map(({ token, weight }) => ({ ...named(token), weight: shorter(weight) })),
    bottomLogits: detail.bottomLogits.map(({ token, weight }) => ({
      ...named(token),
      weight: shorter(weight),
    })),
    neighbours: [],
    place: null,
    intervals: summary.intervals,
    examples: topExamplesAndIntervals.map((example) => exampleOf(example, tokenizer, null)),
  }
}

const split = ({ top, intervals, ...rest }: FeatureDetail) => ({
  ...rest,
  topExamplesAndIntervals: [...top, ...intervals],
})
