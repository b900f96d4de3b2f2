import { MonosemError } from '../errors/monosem-error.js'
import { hookNames, hookWidth, type Transformer } from '../model/transformer.js'
import type { Sae } from '../sae/sae.js'

/**
 * Checks that an autoencoder reads a hook point of this model and has its width.
 * @throws MonosemError missing (the model has no such hook point), shape (another width)
 */
export function requireSaeFits(model: Transformer, sae: Sae): void {
  const names = hookNames(model.config)
  if (!names.includes(sae.hookName))
    throw new MonosemError(
      'missing',
      `the autoencoder reads ${sae.hookName || 'no hook point'}, which the model does not have`,
      { hint: `hook points of this model: ${names.join(', ')}` },
    )
  const width = hookWidth(model.config, sae.hookName)
  if (width !== sae.d)
    throw new MonosemError(
      'shape',
      `${sae.hookName}: expected an autoencoder of width ${width}, got width ${sae.d}`,
      { hint: 'was the autoencoder trained on another model?' },
    )
}
