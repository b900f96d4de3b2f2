import { MonosemError } from '../errors/monosem-error.js'
import type { HooksFor, PassRows } from './generate.js'
import { nearNames } from './near-names.js'
import { type AsyncHook, hookNames, type TransformerConfig } from './transformer.js'

/**
 * Checks that a model has these hook points.
 * @throws MonosemError config: names those that look most like the missing one
 */
export function requireHooks(config: TransformerConfig, wanted: Iterable<string>): void {
  const names = hookNames(config)
  for (const name of wanted)
    if (!names.includes(name))
      throw new MonosemError('config', `no hook point of the model is called ${JSON.stringify(name)}`, {
        hint: `did you mean one of ${nearNames(name, names).join(', ')}? model.hookNames() has all ${names.length}`,
      })
}

/** The last of some hook points in the order of a forward pass; undefined of none. */
export function lastHook(config: TransformerConfig, wanted: readonly string[]): string | undefined {
  return hookNames(config).findLast((name) => wanted.includes(name))
}

/** Several layers of hooks as one: at a point that more than one has, each sees what the one before left. */
export function chainHooks(layers: readonly Record<string, AsyncHook>[]): Record<string, AsyncHook> {
  const chained: Record<string, AsyncHook> = {}
  for (const layer of layers)
    for (const [name, hook] of Object.entries(layer)) {
      const before = chained[name]
      chained[name] = before
        ? async (activation) => {
            const changed = (await before(activation, name)) || activation
            return (await hook(changed, name)) || changed
          }
        : hook
    }
  return chained
}

/** Hooks that are the same in every pass, or made for the rows of each. */
export type HooksOption = Record<string, AsyncHook> | HooksFor<AsyncHook>

export const hooksOf = (hooks: HooksOption | undefined, rows: PassRows): Record<string, AsyncHook> =>
  (typeof hooks === 'function' ? hooks(rows) : hooks) ?? {}
