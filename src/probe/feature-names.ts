import type { FeatureStore } from '../features/feature-store.js'

/** What a feature is called in a table. */
export interface FeatureName {
  /** the tokens of its strongest examples, most frequent first, readable */
  topTokens: string[]
  /** null where there is none */
  explanation: string | null
}

/** Looks a feature's name up. */
export type FeatureNames = (feature: number) => Promise<FeatureName>

/**
 * Names from a feature store.
 * @param explanations texts of explanations by feature, where there are any
 */
export const namesFromStore =
  (store: FeatureStore, explanations: ReadonlyMap<number, string> = new Map()): FeatureNames =>
  async (feature) => {
    const { top } = await store.get(feature)
    const counts = new Map<number, number>()
    for (const { tokens, tokenIndex } of top)
      counts.set(tokens[tokenIndex], (counts.get(tokens[tokenIndex]) ?? 0) + 1)
    const order = [...counts].sort(([, a], [, b]) => b - a).slice(0, 5)
    return {
      topTokens: order.map(([token]) => store.tokenizer.tokenText(token)),
      explanation: explanations.get(feature) ?? null,
    }
  }
