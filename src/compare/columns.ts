import { requireSaeFits } from '../activations/sae-on-model.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Codes } from '../kernels/kernels.js'
import { nearNames } from '../model/near-names.js'
import { hookNames, hookWidth, type Transformer } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'

/** Something with one activation per token and column: the features of an autoencoder, or the neurons (dimensions) of a hook point. */
export type Columns =
  | { kind: 'features'; model: Transformer; sae: Sae }
  | { kind: 'neurons'; model: Transformer; hookName: string }

/** Activations of n tokens: only what is active of features, everything of neurons. */
export type ColumnValues =
  | { kind: 'features'; codes: Codes }
  /** x [n, D] */
  | { kind: 'neurons'; x: Float32Array }

/** The hook point that columns are read from. */
export const hookOf = (columns: Columns): string =>
  columns.kind === 'features' ? columns.sae.hookName : columns.hookName

/** How many columns there are: F features, or D neurons. */
export const widthOf = (columns: Columns): number =>
  columns.kind === 'features' ? columns.sae.features : hookWidth(columns.model.config, columns.hookName)

/** @throws MonosemError missing (the model has no such hook point), shape (another width) */
export function requireColumnsFit(columns: Columns): void {
  if (columns.kind === 'features') {
    requireSaeFits(columns.model, columns.sae)
    return
  }
  const names = hookNames(columns.model.config)
  if (names.includes(columns.hookName)) return
  throw new MonosemError(
    'missing',
    `neurons: the model has no hook point ${columns.hookName || '(no name given)'}`,
    { hint: `the most like it: ${nearNames(columns.hookName, names).join(', ')}` },
  )
}
