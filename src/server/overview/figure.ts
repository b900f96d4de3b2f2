import type { Figure } from '../protocol.js'

/** What a figure is, besides its value. */
export interface FigureMeaning {
  /** field that it comes from */
  name: string
  label: string
  unit: Figure['unit']
  /** one line */
  explanation: string
}

/**
 * Figures from fields of one file; those that the file does not have are left out.
 * @param file name in the run directory, e.g. `eval/eval.json`
 */
export function figuresFrom(
  file: string,
  values: Readonly<Record<string, unknown>>,
  meanings: readonly FigureMeaning[],
  intervals: Readonly<Record<string, [number, number] | null>> = {},
): Figure[] {
  return meanings
    .filter(({ name }) => values[name] !== undefined)
    .map((meaning) => ({
      ...meaning,
      value: finite(values[meaning.name]),
      interval: intervals[meaning.name] ?? null,
      source: `${file}: ${meaning.name}`,
    }))
}

const finite = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null
