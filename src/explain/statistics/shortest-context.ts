import type { TokenSplit } from '../../corpus/corpus.js'
import { encodedWindows } from '../../eval/encoded-windows.js'
import { activationOf } from '../../features/example-slots.js'
import type { Transformer } from '../../model/transformer.js'
import { type StageContext, throwIfInterrupted } from '../../progress/progress.js'
import type { Sae } from '../../sae/sae.js'
import type { Example } from '../evidence.js'

/** Lengths that are tried, in tokens, the example's own token included. */
export const contextLengths = [1, 2, 3, 5, 8] as const

/** A context is enough when the unit reaches this share of its activation with it. */
const enough = 0.5

/** An example to shorten, of a feature or of a neuron. */
export interface ContextRequest {
  kind: 'feature' | 'neuron'
  unit: number
  example: Example
}

/**
 * The shortest of `contextLengths` tokens, up to the example's own, on which each unit still reaches half of its activation when the model sees
 * nothing else; null where none is enough (Foote et al. 2023, "Neuron to Graph"). All examples are run together, packed into windows; a
 * token's place in the window is not the one that it had.
 */
export async function shortestContexts(
  requests: readonly ContextRequest[],
  { model, sae, startOfText }: { model: Transformer; sae: Sae; startOfText: number },
  context: StageContext,
  batchWindows = 16,
): Promise<(number | null)[]> {
  const { split, ends } = packContexts(requests, model.config.context, startOfText)
  const shortest: (number | null)[] = requests.map(() => null)
  const windows = Int32Array.from({ length: (split.tokens.length - 1) / model.config.context }, (_, i) => i)
  const task = context.progress.start('shorten contexts', windows.length * model.config.context, 'tokens')
  const withActivations = requests.some(({ kind }) => kind === 'neuron')
  let done = 0
  for await (const batch of encodedWindows({
    model,
    sae,
    split,
    startOfText,
    windows,
    batchWindows,
    withActivations,
    ranks: context.ranks,
  })) {
    throwIfInterrupted(context.signal)
    batch.rows.forEach((position, row) => {
      const place = batch.windows[0] * model.config.context + position
      const asked = ends.get(place)
      if (asked === undefined) return
      const { kind, unit, example } = requests[asked.request]
      const value =
        kind === 'feature'
          ? activationOf(batch.codes, row, unit)
          : (batch.activations as Float32Array)[row * sae.d + unit]
      const known = shortest[asked.request]
      if (
        value >= enough * example.activations[example.tokenIndex] &&
        (known === null || asked.length < known)
      )
        shortest[asked.request] = asked.length
    })
    done += batch.windows.length
    task.update(done * model.config.context)
  }
  task.end()
  return shortest
}

/** All contexts as documents of one split, none over the end of a window; `ends` says whose last token stands where. */
function packContexts(
  requests: readonly ContextRequest[],
  windowLength: number,
  startOfText: number,
): { split: TokenSplit; ends: Map<number, { request: number; length: number }> } {
  const tokens: number[] = []
  const starts: number[] = []
  const ends = new Map<number, { request: number; length: number }>()
  const fill = (): void => {
    for (; tokens.length % windowLength !== 0; tokens.push(startOfText)) starts.push(tokens.length)
  }
  requests.forEach(({ example }, request) => {
    for (const length of contextLengths) {
      if (length > Math.min(example.tokenIndex + 1, windowLength)) break
      if ((tokens.length % windowLength) + length > windowLength) fill()
      starts.push(tokens.length)
      tokens.push(...example.tokens.slice(example.tokenIndex + 1 - length, example.tokenIndex + 1))
      ends.set(tokens.length - 1, { request, length })
    }
  })
  fill()
  starts.push(tokens.length)
  tokens.push(startOfText)
  return {
    split: {
      name: 'train',
      tokens: Uint32Array.from(tokens),
      documentStarts: Int32Array.from(starts),
      documentIds: Int32Array.from(starts, (_, i) => i),
      bytes: 0,
    },
    ends,
  }
}
