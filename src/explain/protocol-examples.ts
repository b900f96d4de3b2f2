import { cropExample } from './crop.js'
import type { Example, ExampleGroup } from './evidence.js'

/** Tokens around an example's token that are shown and predicted in Bricken et al. 2023. */
export const protocolTokens = 9

/** How many examples of each group a prompt shows. */
export interface ProtocolCounts {
  top: number
  /** from each activation interval that there is */
  perInterval: number
  random: number
  outOfContext: number
}

/** With 12 intervals the 49 examples that explain in Bricken et al. 2023. */
export const explainCounts: ProtocolCounts = { top: 10, perInterval: 2, random: 5, outOfContext: 10 }

/** With 12 intervals the 60 examples that are predicted there. */
export const predictCounts: ProtocolCounts = { top: 6, perInterval: 2, random: 10, outOfContext: 20 }

const order: readonly ExampleGroup[] = ['top', 'interval', 'random', 'out-of-context']

/**
 * The examples that the protocol shows: the first of each group, highest interval first, no crop twice. Neighbours are not
 * part of it.
 * @param exclude examples whose crops must not come up again
 * @param tokens length of the crops
 */
export function protocolExamples(
  examples: readonly Example[],
  counts: ProtocolCounts,
  exclude: readonly Example[] = [],
  tokens = protocolTokens,
): Example[] {
  const keyOf = (example: Example): string => cropExample(example, tokens).tokens.join(' ')
  const seen = new Set(exclude.map(keyOf))
  const taken = new Map<string, number>()
  const limits: Record<ExampleGroup, number> = {
    top: counts.top,
    interval: counts.perInterval,
    random: counts.random,
    'out-of-context': counts.outOfContext,
    neighbour: 0,
  }
  const chosen = examples.filter((example) => {
    const kind = `${example.group} ${example.interval}`
    const count = taken.get(kind) ?? 0
    const key = keyOf(example)
    if (count >= limits[example.group] || seen.has(key)) return false
    seen.add(key)
    taken.set(kind, count + 1)
    return true
  })
  return chosen.sort(
    (a, b) => order.indexOf(a.group) - order.indexOf(b.group) || (b.interval ?? 0) - (a.interval ?? 0),
  )
}
