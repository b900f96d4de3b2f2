import type { Example } from '../../../../src/server/protocol'
import { type ContextWidth, contextSides } from './view'

/** The part of an example that is shown. */
export interface ShownExample {
  example: Example
  segments: string[]
  activations: number[]
  effects: (number | null)[] | null
  focus: number
  /** text was left out on this side */
  cutBefore: boolean
  cutAfter: boolean
}

/** Cuts the text around the segment that the example is about. */
export function cutExample(example: Example, width: ContextWidth): ShownExample {
  const side = contextSides[width]
  const { focus, segments, activations, effects } = example
  const first = Math.max(0, focus - side)
  const end = Math.min(segments.length, focus + side + 1)
  return {
    example,
    segments: segments.slice(first, end),
    activations: activations.slice(first, end),
    effects: effects?.slice(first, end) ?? null,
    focus: focus - first,
    cutBefore: first > 0,
    cutAfter: end < segments.length,
  }
}

/** Examples whose shown text is the same, in the order of the first of each. */
export function foldSame(shown: readonly ShownExample[]): ShownExample[][] {
  const groups = new Map<string, ShownExample[]>()
  for (const one of shown) {
    const key = JSON.stringify([one.focus, one.segments])
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  return [...groups.values()]
}

/** The top examples and those of each interval, highest first. */
export interface ExampleGroup {
  interval: number | null
  examples: Example[]
}

export function groupExamples(examples: readonly Example[]): ExampleGroup[] {
  const groups = new Map<number | null, Example[]>()
  for (const example of examples)
    groups.set(example.interval, [...(groups.get(example.interval) ?? []), example])
  const order = (interval: number | null): number => interval ?? Number.POSITIVE_INFINITY
  return Array.from(groups, ([interval, found]) => ({ interval, examples: found })).sort(
    (a, b) => order(b.interval) - order(a.interval),
  )
}
