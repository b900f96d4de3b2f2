import { MonosemError } from '../errors/monosem-error.js'
import { nearNames } from '../model/near-names.js'
import { hookNames, hookWidth, type Transformer } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'

/**
 * Checks that an autoencoder reads and reconstructs hook points of this model and has their widths.
 * @throws MonosemError missing (the model has no such hook point), shape (another width)
 */
export function requireSaeFits(model: Transformer, sae: Sae): void {
  requireHook(model, 'reads', sae.hookName, sae.d)
  requireHook(model, 'reconstructs', sae.targetHookName, sae.dOut)
}

/**
 * Checks that an autoencoder can change this model's activations while a pass runs: it fits, and reads what it changes or something before it.
 * @throws MonosemError missing, shape (as `requireSaeFits`), config (a transcoder that reads after it writes)
 */
export function requireSpliceFits(model: Transformer, sae: Sae): void {
  requireSaeFits(model, sae)
  const names = hookNames(model.config)
  if (names.indexOf(sae.hookName) <= names.indexOf(sae.targetHookName)) return
  throw new MonosemError(
    'config',
    `splice: expected a transcoder that reads before it writes, got ${sae.hookName} to ${sae.targetHookName}`,
  )
}

function requireHook(model: Transformer, verb: string, hookName: string, d: number): void {
  const names = hookNames(model.config)
  if (!names.includes(hookName))
    throw new MonosemError(
      'missing',
      `the autoencoder ${verb} ${hookName || 'no hook point'}, which the model does not have`,
      {
        hint: `the most like it: ${nearNames(hookName, names).join(', ')}; was it trained on another model?`,
      },
    )
  const width = hookWidth(model.config, hookName)
  if (width !== d)
    throw new MonosemError(
      'shape',
      `${hookName}: expected an autoencoder of width ${width}, got width ${d}`,
      {
        hint: 'was the autoencoder trained on another model?',
      },
    )
}
