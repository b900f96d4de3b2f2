import { formatNumber } from '../progress/rate.js'
import type { Json, StageResult } from '../storage/stage.js'

/** First line of what a stage's command prints. */
export const madeOrReused = ({ directory, reused }: StageResult): string =>
  reused ? `${directory} is there already, made with the same options` : `wrote ${directory}`

/** The plain figures of a JSON object, one on a line, for people; lists and nested objects are left to the file itself. */
export function renderJson(values: Record<string, Json>): string {
  const plain = Object.entries(values).filter(([, value]) => value === null || typeof value !== 'object')
  const width = Math.max(0, ...plain.map(([name]) => name.length))
  return plain
    .map(
      ([name, value]) =>
        `  ${name.padEnd(width)}  ${typeof value === 'number' ? formatNumber(value) : (value ?? '–')}`,
    )
    .join('\n')
}
