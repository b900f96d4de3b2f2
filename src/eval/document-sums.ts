import { type RatioInterval, ratioInterval } from './ratio-interval.js'

/**
 * Sums per document of everything that a report averages: the documents are the units of its confidence intervals, because tokens of one
 * document are not independent. A document that is spread over several windows is one unit. Memory grows with the documents read, and with
 * nothing else.
 */
export interface DocumentSums<Name extends string> {
  /** The place in every column of a document, which is made at its first use. @param document index into `documentStarts` */
  unit(document: number): number
  /** [documents so far] by name */
  columns: Record<Name, number[]>
  documents(): number
}

export function createDocumentSums<Name extends string>(names: readonly Name[]): DocumentSums<Name> {
  const columns = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>
  const units = new Map<number, number>()
  const all: number[][] = Object.values(columns)
  return {
    columns,
    documents: () => units.size,
    unit: (document) => {
      const known = units.get(document)
      if (known !== undefined) return known
      const unit = units.size
      units.set(document, unit)
      for (const column of all) column.push(0)
      return unit
    },
  }
}

/** A quotient of sums over the tokens of a sample, by the columns that it is made of, each with a sign. */
export interface Ratio<Name extends string> {
  over: readonly [1 | -1, Name][]
  under: readonly [1 | -1, Name][]
}

/** The ratio's value over all documents, and its interval. Null where the sum below is 0. */
export function ratioOf<Name extends string>(
  sums: DocumentSums<Name>,
  { over, under }: Ratio<Name>,
): RatioInterval | null {
  const combined = (terms: readonly [1 | -1, Name][]): Float64Array => {
    const total = new Float64Array(sums.documents())
    for (const [sign, name] of terms)
      for (let i = 0; i < total.length; i++) total[i] += sign * sums.columns[name][i]
    return total
  }
  return ratioInterval(combined(over), combined(under))
}
