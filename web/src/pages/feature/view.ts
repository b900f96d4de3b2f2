import { useSearchParams } from '@solidjs/router'

/** How much text is shown around the token that an example is about: tokens on each side. */
export const contextSides = { short: 4, medium: 8, full: Number.POSITIVE_INFINITY } as const
export type ContextWidth = keyof typeof contextSides

/** What the strongest colour stands for. */
export type Scale = 'feature' | 'example'

/** Whether a line end in the text ends the line on the page too. */
export type Lines = 'folded' | 'shown'

type Choices = { context: ContextWidth; scale: Scale; lines: Lines }

const choices: { [Key in keyof Choices]: readonly Choices[Key][] } = {
  context: ['medium', 'short', 'full'],
  scale: ['feature', 'example'],
  lines: ['folded', 'shown'],
}

/** How examples are shown; all of it is in the address, defaults left out. */
export interface View {
  get: <Key extends keyof Choices>(key: Key) => Choices[Key]
  set: <Key extends keyof Choices>(key: Key, value: Choices[Key]) => void
  /** query of an address that shows another feature in the same way */
  search: () => string
}

export function useView(): View {
  const [params, setParams] = useSearchParams<Record<keyof Choices, string>>()
  const get = <Key extends keyof Choices>(key: Key): Choices[Key] =>
    choices[key].find((choice) => choice === params[key]) ?? choices[key][0]
  return {
    get,
    set: (key, value) =>
      setParams({ [key]: value === choices[key][0] ? undefined : value }, { replace: true, scroll: false }),
    search: () => {
      const keys = Object.keys(choices) as (keyof Choices)[]
      const chosen = keys.filter((key) => get(key) !== choices[key][0]).map((key) => [key, get(key)])
      return chosen.length === 0 ? '' : `?${new URLSearchParams(chosen)}`
    },
  }
}
