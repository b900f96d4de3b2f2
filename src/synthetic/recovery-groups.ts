import type { FeatureModel } from './feature-model.js'
import type { LatentRecovery } from './recovery.js'

/** Places in the hierarchy of a world, from the top. */
export const featureKinds = [
  'root with children',
  'child with children',
  'child without',
  'in no tree',
] as const
export type FeatureKind = (typeof featureKinds)[number]

/** How well the latents of one kind of true feature do: where a dictionary fails shows in which of these fall behind. */
export interface GroupRecovery {
  kind: FeatureKind
  /** latents whose nearest true feature is of this kind */
  latents: number
  /** different true features among those */
  features: number
  /** means over the latents; null where there are none */
  f1: number | null
  precision: number | null
  recall: number | null
  /** mean absolute cosine of the latents with their features */
  cosine: number | null
}

/** Place of a true feature in the hierarchy. */
export function kindOfFeature(
  { parents, children }: Pick<FeatureModel, 'parents' | 'children'>,
  feature: number,
): FeatureKind {
  const isParent = children[feature].length > 0
  if (parents[feature] >= 0) return isParent ? 'child with children' : 'child without'
  return isParent ? 'root with children' : 'in no tree'
}

/** Means over the latents of each kind of true feature. */
export function recoveryGroups(
  { match, detection }: LatentRecovery,
  world: Pick<FeatureModel, 'parents' | 'children'>,
): GroupRecovery[] {
  const kinds = Array.from(match.nearest, (feature) => kindOfFeature(world, feature))
  return featureKinds.map((kind) => {
    const latents = kinds.flatMap((found, i) => (found === kind ? [i] : []))
    const mean = (values: ArrayLike<number>): number | null =>
      latents.length === 0 ? null : latents.reduce((sum, i) => sum + values[i], 0) / latents.length
    return {
      kind,
      latents: latents.length,
      features: new Set(latents.map((i) => match.nearest[i])).size,
      f1: mean(detection.f1),
      precision: mean(detection.precision),
      recall: mean(detection.recall),
      cosine: mean(match.nearestCosine),
    }
  })
}
