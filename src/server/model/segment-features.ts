import type { Codes } from '../../kernels/kernels.js'
import type { FeatureName } from '../notes/notes-store.js'
import { shorter } from '../pages/example.js'
import type { TextRun } from '../protocol.js'

/** How strongly a feature fires on a segment. */
export interface Strength {
  feature: number
  activation: number
}

/** What the features of a text do, segment by segment. */
export interface SegmentTable {
  segments: number
  features: Map<number, { activation: number; segment: number; segments: number }>
}

export const createSegmentTable = (): SegmentTable => ({ segments: 0, features: new Map() })

/**
 * Adds the next segment.
 * @param first first row of the codes, @param end one past the last
 * @returns the features that fire on it, each with its largest activation
 */
export function addSegment(table: SegmentTable, codes: Codes, first: number, end: number): Strength[] {
  const own = new Map<number, number>()
  for (let e = codes.rowOffsets[first]; e < codes.rowOffsets[end]; e++) {
    const feature = codes.featureIds[e]
    own.set(feature, Math.max(own.get(feature) ?? 0, codes.values[e]))
  }
  const segment = table.segments++
  for (const [feature, activation] of own) {
    const known = table.features.get(feature)
    if (!known) table.features.set(feature, { activation, segment, segments: 1 })
    else {
      known.segments++
      if (activation > known.activation) Object.assign(known, { activation, segment })
    }
  }
  return Array.from(own, ([feature, activation]) => ({ feature, activation }))
}

/** Largest activation first, the lower number first among equals. Changes the list. */
export const largestFirst = (strengths: Strength[]): Strength[] =>
  strengths.sort((a, b) => b.activation - a.activation || a.feature - b.feature)

/**
 * Features by their largest activation on the text as a share of their maximum; those without a maximum last.
 * @param maxima [F] in the store; 0 where it never fired there
 */
export function rankFeatures(
  { features }: SegmentTable,
  maxima: Float64Array,
  names: ReadonlyMap<number, FeatureName>,
  limit: number,
): TextRun['features'] {
  const rows = Array.from(features, ([feature, found]) => ({
    ...found,
    feature,
    relative: maxima[feature] > 0 ? found.activation / maxima[feature] : null,
  }))
  rows.sort(
    (a, b) => (b.relative ?? -1) - (a.relative ?? -1) || b.activation - a.activation || a.feature - b.feature,
  )
  return rows.slice(0, limit).map(({ feature, activation, relative, segment, segments }) => ({
    feature,
    name: names.get(feature)?.name ?? null,
    activation: shorter(activation),
    relative: relative === null ? null : shorter(relative),
    segment,
    segments,
  }))
}
