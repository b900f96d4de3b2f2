import type { FeatureStore } from '../features/feature-store.js'

/** What a feature is called in a table. */
export interface FeatureName {
  /** tokens on which it is most active, readable */
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
    const { tokens } = await store.get(feature)
    return {
      topTokens: tokens.slice(0, 5).map(({ token }) => store.tokenizer.tokenText(token)),
      explanation: explanations.get(feature) ?? null,
    }
  }
