import { cachedForward, createKeyValueCache, freeKeyValueCache } from '../model/cached-forward.js'
import type { HooksFor, PassRows } from '../model/generate.js'
import { BEFORE_LOGITS, type Transformer, type Workspace } from '../model/transformer.js'

/** A text as tokens, <|endoftext|> first, of which the first `promptLength` were given and the others written. */
export interface WrittenText {
  tokens: ArrayLike<number>
  promptLength: number
}

/** Windows of texts that together predict every written token once. */
export interface TextWindows {
  rows: PassRows
  /** [N] position of each row in its window; `rows.sequences` counts windows */
  positions: Int32Array
  windows: number
  /** rows whose prediction is a written token, in the order of texts and tokens */
  predicting: Int32Array
  /** [predicting] the token that was written there */
  targets: Int32Array
  /** [predicting] which of the texts it is in */
  texts: Int32Array
  /** rows of written tokens as they are read, each once; the last token of a text included */
  written: Int32Array
}

/**
 * Lays out texts in windows of at most `context` tokens. A text longer than that is cut into windows that overlap by half, so that every
 * written token is predicted from at least half a context of text.
 */
export function layOutTexts(texts: readonly WrittenText[], context: number): TextWindows {
  const columns: Record<string, number[]> = {}
  const push = (name: string, value: number): void => {
    columns[name] ??= []
    columns[name].push(value)
  }
  let rows = 0
  let windows = 0
  for (const [text, { tokens, promptLength }] of texts.entries())
    for (const { first, end, countFrom } of windowsOf(tokens.length, context)) {
      for (let index = first; index < end; index++, rows++) {
        push('tokens', tokens[index])
        push('sequences', windows)
        push('indices', index)
        push('positions', index - first)
        push('writes', index >= promptLength - 1 ? 1 : 0)
        if (index < countFrom) continue
        if (index >= promptLength) push('written', rows)
        if (index < promptLength - 1 || index + 1 >= tokens.length) continue
        push('predicting', rows)
        push('targets', tokens[index + 1])
        push('texts', text)
      }
      windows++
    }
  const ints = (name: string): Int32Array => Int32Array.from(columns[name] ?? [])
  return {
    rows: {
      tokens: ints('tokens'),
      sequences: ints('sequences'),
      indices: ints('indices'),
      writes: Uint8Array.from(columns.writes ?? []),
    },
    positions: ints('positions'),
    windows,
    predicting: ints('predicting'),
    targets: ints('targets'),
    texts: ints('texts'),
    written: ints('written'),
  }
}

/** Windows over a text; what lies before `countFrom` is context only. */
function windowsOf(length: number, context: number): { first: number; end: number; countFrom: number }[] {
  const windows = [{ first: 0, end: Math.min(length, context), countFrom: 0 }]
  const stride = Math.max(1, Math.floor(context / 2))
  while (windows[windows.length - 1].end < length) {
    const { end } = windows[windows.length - 1]
    const next = Math.min(length, end + stride)
    windows.push({ first: Math.max(0, next - context), end: next, countFrom: end })
  }
  return windows
}

/**
 * Runs the model over laid out texts, lets `use` enqueue and read what it wants of the activations, and frees the buffers.
 * @param keep hook points that `use` reads besides what logits are made of
 */
export async function readTexts<T>(
  model: Transformer,
  { rows, positions, windows }: TextWindows,
  hooks: HooksFor | null,
  use: (pass: Workspace) => Promise<T>,
  keep: readonly string[] = [],
): Promise<T> {
  const longest = positions.reduce((longest, position) => Math.max(longest, position + 1), 1)
  const cache = createKeyValueCache(model, windows, { positions: longest, keep: [BEFORE_LOGITS, ...keep] })
  try {
    const { tokens, sequences } = rows
    const options = { ...(hooks && { hooks: hooks(rows) }), stopAfter: BEFORE_LOGITS }
    return await use(cachedForward(model, cache, { tokens, sequences, positions }, options))
  } finally {
    freeKeyValueCache(model, cache)
  }
}
