import { MonosemError } from '../errors/monosem-error.js'
import type { FeatureStore } from '../features/feature-store.js'
import type { FeatureEdit } from './steering.js'

/** What steering does to each feature. */
export type SteerMode =
  /** the activation becomes the strength */
  | 'clamp'
  /** the activation grows by the strength */
  | 'add'
  /** the activation becomes 0 */
  | 'ablate'
  /** as clamp, but without the error term: a diagnostic */
  | 'replace'

/** max: multiples of each feature's largest activation on the store's text; activation: the units of activations themselves */
export type StrengthUnit = 'max' | 'activation'

export interface EditOptions {
  mode: SteerMode
  strength: number
  unit: StrengthUnit
}

/**
 * The edits of some features at one strength, each in units of its own maximum.
 * @throws MonosemError missing (no such feature, or one that never fired, whose maximum is unknown), config (the strength is no number)
 */
export async function featureEdits(
  store: Pick<FeatureStore, 'get'>,
  features: readonly number[],
  { mode, strength, unit }: EditOptions,
): Promise<FeatureEdit[]> {
  if (!Number.isFinite(strength))
    throw new MonosemError('config', `strength: expected a finite number, got ${strength}`)
  const edits: FeatureEdit[] = []
  for (const feature of features) {
    const { fires, max } = await store.get(feature)
    if (fires === 0 && (mode === 'ablate' || unit === 'max'))
      throw new MonosemError('missing', `feature ${feature} is dead: it never fired on the store's text`, {
        hint:
          mode === 'ablate'
            ? 'there is nothing to ablate; choose a live feature'
            : 'it has no maximum to multiply; choose a live feature, or give the strength in activations (unit activation)',
      })
    const value = mode === 'ablate' ? 0 : unit === 'max' ? strength * max : strength
    edits.push({ feature, kind: mode === 'add' ? 'add' : 'clamp', value })
  }
  return edits
}

/**
 * Feature numbers from text like "12,345".
 * @throws MonosemError config
 */
export function parseFeatureList(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim())
  const wrong = parts.find((part) => !/^\d+$/.test(part))
  if (wrong === undefined) return parts.map(Number)
  throw new MonosemError(
    'config',
    `feature: expected numbers separated by commas, got ${JSON.stringify(text)}`,
    { hint: 'monosem features list shows the numbers' },
  )
}
