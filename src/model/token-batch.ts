import type { WindowBatch } from '../corpus/windows.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { NdArray } from '../kernels/nd-array.js'
import type { PassRows } from './generate.js'
import type { TransformerConfig } from './transformer.js'

/** Token ids to run a model on: one sequence, several of one length, or [B, T] with its shape. */
export type TokenInput =
  | readonly number[]
  | Int32Array
  | readonly (readonly number[] | Int32Array)[]
  | NdArray<Int32Array>

/** B sequences of T tokens, checked. */
export interface TokenBatch extends WindowBatch {
  /** B */
  sequences: number
  /** T */
  length: number
}

/**
 * Checks token ids and lays them out for a forward pass. The target of each is the next token of its sequence; the last has none.
 * @throws MonosemError shape (no tokens, sequences of several lengths, longer than the context, an id outside the vocabulary)
 */
export function tokenBatch(
  { context, vocabularySize }: Pick<TransformerConfig, 'context' | 'vocabularySize'>,
  input: TokenInput,
): TokenBatch {
  const rows = sequencesOf(input)
  const T = rows[0]?.length ?? 0
  const other = rows.findIndex((row) => row.length !== T)
  if (other > 0)
    throw invalid(
      `expected sequences of one length, got ${T} tokens in the first and ${rows[other].length} in sequence ${other}`,
      'run them one by one, or cut them to one length',
    )
  if (T === 0) throw invalid('expected at least one, got none', 'pass at least one sequence of one token')
  if (T > context)
    throw invalid(
      `expected at most ${context} in a sequence (the model's context), got ${T}`,
      'cut the text into shorter pieces',
    )
  const tokens = new Int32Array(rows.length * T)
  for (const [b, row] of rows.entries())
    for (let t = 0; t < T; t++) {
      if (!(Number.isInteger(row[t]) && row[t] >= 0 && row[t] < vocabularySize))
        throw invalid(
          `expected ids from 0 to ${vocabularySize - 1}, got ${row[t]} at position ${t} of sequence ${b}`,
          "encode texts with the model's own tokenizer: model.tokenize(text)",
        )
      tokens[b * T + t] = row[t]
    }
  const targets = tokens.map((_, n) => ((n + 1) % T === 0 ? -1 : tokens[n + 1]))
  return { sequences: rows.length, length: T, tokens, targets, starts: new Int32Array(tokens.length) }
}

/** Some sequences of a batch, in the same memory. */
export function sliceBatch(batch: TokenBatch, first: number, count: number): TokenBatch {
  const [from, to] = [first * batch.length, (first + count) * batch.length]
  return {
    sequences: count,
    length: batch.length,
    tokens: batch.tokens.subarray(from, to),
    targets: batch.targets.subarray(from, to),
    starts: batch.starts.subarray(from, to),
  }
}

function sequencesOf(input: TokenInput): ArrayLike<number>[] {
  if (!('data' in input)) {
    const nested = typeof input[0] === 'object'
    return nested ? (input as number[][]) : [input as number[]]
  }
  const [B, T] = input.shape
  if (input.shape.length !== 2 || B * T !== input.data.length)
    throw invalid(`expected [B, T] ids, got ${input.data.length} as [${input.shape.join(', ')}]`)
  return Array.from({ length: B }, (_, b) => input.data.subarray(b * T, (b + 1) * T))
}

const invalid = (message: string, hint?: string): MonosemError =>
  new MonosemError('shape', `tokens: ${message}`, { hint })

/** What hooks that treat rows differently want to know about them: nothing is being written. */
export function batchRows({ tokens, length: T }: TokenBatch): PassRows {
  return {
    tokens,
    sequences: tokens.map((_, n) => Math.floor(n / T)),
    indices: tokens.map((_, n) => n % T),
    writes: new Uint8Array(tokens.length),
  }
}
