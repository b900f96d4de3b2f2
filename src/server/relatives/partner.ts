import type { FeaturePartners, Universality } from '../../compare/universality-file.js'
import type { Partner } from '../protocol.js'

/** What two dictionaries say about a feature and its partner. */
export type Match = Pick<
  Partner,
  'feature' | 'correlation' | 'heldOut' | 'logitSimilarity' | 'byLogits' | 'mutual'
>

/**
 * The partner of a feature in the other dictionary; null where it was not compared, or nothing was like it.
 * @param side which of the two dictionaries the feature is of
 */
export function matchOf(universality: Universality, side: 'a' | 'b', feature: number): Match | null {
  const [own, others] = directions(universality, side)
  const { partner, similarity, heldOut, logitSimilarity } = own.activation
  const [found, correlation] = [partner[feature], similarity[feature]]
  if (found == null || correlation == null) return null
  return {
    feature: found,
    correlation,
    heldOut: heldOut[feature],
    logitSimilarity: logitSimilarity[feature],
    byLogits: partnerByLogits(own, feature),
    mutual: others.activation.partner[found] === feature,
  }
}

const directions = ({ aToB, bToA }: Universality, side: 'a' | 'b'): [FeaturePartners, FeaturePartners] =>
  side === 'a' ? [aToB, bToA] : [bToA, aToB]

function partnerByLogits({ logitWeights }: FeaturePartners, feature: number): Partner['byLogits'] {
  const found = logitWeights?.partner[feature]
  const similarity = logitWeights?.similarity[feature]
  return found == null || similarity == null ? null : { feature: found, similarity }
}
