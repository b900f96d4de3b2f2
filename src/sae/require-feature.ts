import { MonosemError } from '../errors/monosem-error.js'

/** @param features F @throws MonosemError missing: no such feature */
export function requireFeature(feature: number, features: number): void {
  if (Number.isInteger(feature) && feature >= 0 && feature < features) return
  throw new MonosemError('missing', `feature ${feature}: expected a whole number from 0 to ${features - 1}`, {
    hint: 'monosem features list shows the numbers',
  })
}
