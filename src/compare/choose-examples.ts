import type { CaseStudy } from '../interp/study-predicates.js'
import type { FeaturePartners, Universality } from './universality-file.js'

/** A feature of A that the report shows beside its partner in B. */
export interface ChosenExample {
  group: 'case studies' | 'universal' | 'without counterpart'
  feature: number
  /** best partner by activation */
  partner: number
  /** the case study's name */
  name: string | null
}

/**
 * Features to show: those of the case studies; the most universal ones; those whose best partner is least like them. The last two take turns through
 * the densities, since rare features alone would make a dull list.
 * @param count features of each of the last two groups
 */
export function chooseExamples(
  { aToB, text }: Universality,
  studies: readonly Pick<CaseStudy, 'name' | 'feature'>[],
  count: number,
): ChosenExample[] {
  const studied = studies.flatMap(({ name, feature }): ChosenExample[] => {
    const partner = feature === null ? null : (aToB.activation.partner[feature] ?? null)
    return feature === null || partner === null ? [] : [{ group: 'case studies', feature, partner, name }]
  })
  const taken = new Set(studied.map(({ feature }) => feature))
  const open = comparedFeatures(aToB).filter((feature) => !taken.has(feature))
  const similarity = (feature: number): number => aToB.activation.heldOut[feature] ?? 0
  const universal = throughDensities(aToB, open, (a, b) => similarity(b) - similarity(a), count)
  const frequent = open.filter((feature) => aToB.fires[feature] >= 4 * text.minFires)
  const alone = throughDensities(
    aToB,
    frequent.filter((feature) => !universal.includes(feature)),
    (a, b) => similarity(a) - similarity(b),
    count,
  )
  const shown = (group: ChosenExample['group'], features: readonly number[]): ChosenExample[] =>
    features.map((feature) => ({
      ...{ group, feature, name: null },
      partner: aToB.activation.partner[feature] as number,
    }))
  return [...studied, ...shown('universal', universal), ...shown('without counterpart', alone)]
}

/** Those with a partner that were measured on the other half too. */
const comparedFeatures = ({ activation }: FeaturePartners): number[] =>
  activation.partner.flatMap((partner, feature) =>
    partner === null || activation.heldOut[feature] === null ? [] : [feature],
  )

/** The first by `order` of each half decade of density in turn. */
function throughDensities(
  { fires }: FeaturePartners,
  features: readonly number[],
  order: (a: number, b: number) => number,
  count: number,
): number[] {
  const bins = new Map<number, number[]>()
  for (const feature of [...features].sort((a, b) => order(a, b) || a - b)) {
    const bin = Math.floor(2 * Math.log10(fires[feature]))
    bins.set(bin, [...(bins.get(bin) ?? []), feature])
  }
  const queues = [...bins].sort(([a], [b]) => a - b).map(([, members]) => members)
  const chosen: number[] = []
  for (let turn = 0; chosen.length < count && queues.some((queue) => turn < queue.length); turn++)
    for (const queue of queues) if (turn < queue.length && chosen.length < count) chosen.push(queue[turn])
  return chosen
}
