import type { HooksFor, PassRows } from './generate.js'
import type { AsyncHook } from './transformer.js'

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
