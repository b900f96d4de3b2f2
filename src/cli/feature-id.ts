import { MonosemError } from '../errors/monosem-error.js'

/** The number of a feature as it was typed. @throws MonosemError config */
export function featureId(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new MonosemError('config', `expected the number of a feature, got ${JSON.stringify(text)}`, {
    hint: 'monosem features list shows the numbers',
  })
}
