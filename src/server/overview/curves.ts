import { z } from 'zod'
import { shorter } from '../pages/example.js'
import type { Curve } from '../protocol.js'
import { parseJson } from './part-files.js'

const lineSchema = z.looseObject({ tokens: z.number() })

/** More points than a screen shows. */
const mostPoints = 500

/**
 * Curves over training from the lines of a metrics.jsonl. Those that no line has are left out.
 * @param text one JSON object with `tokens` in each line
 * @param file its name, for errors
 * @throws MonosemError corrupt
 */
export function curvesOf(text: string, file: string, names: readonly string[]): Curve[] {
  const all = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => parseJson(line, `line ${i + 1} of ${file}`, lineSchema))
  const lines = thinned(all, mostPoints)
  return names
    .filter((name) => all.some((line) => typeof line[name] === 'number'))
    .map((name) => ({
      name,
      tokens: lines.map(({ tokens }) => tokens),
      values: lines.map((line) => numberOf(line[name])),
    }))
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? shorter(value) : null)

/** At most `most` of the items, evenly spread; the first and the last among them. */
export function thinned<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items]
  const step = (items.length - 1) / (most - 1)
  return Array.from({ length: most }, (_, i) => items[Math.round(i * step)])
}
