import { MonosemError } from '../errors/monosem-error.js'
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

function requireHook(model: Transformer, verb: string, hookName: string, d: number): void {
  const names = hookNames(model.config)
  if (!names.includes(hookName))
    throw new MonosemError(
      'missing',
      `the autoencoder ${verb} ${hookName || 'no hook point'}, which the model does not have`,
      { hint: `hook points of this model: ${names.join(', ')}` },
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
