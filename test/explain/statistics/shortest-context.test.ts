import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenSplit } from '../../../src/corpus/corpus.js'
import { encodedWindows } from '../../../src/eval/encoded-windows.js'
import type { Example } from '../../../src/explain/evidence.js'
import {
  type ContextRequest,
  contextLengths,
  shortestContexts,
} from '../../../src/explain/statistics/shortest-context.js'
import { activationOf } from '../../../src/features/example-slots.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { silentProgress } from '../../../src/progress/progress.js'
import { Random } from '../../../src/random/random.js'
import { randomArrays, saeOf } from '../../eval/tiny-sae.js'
import { TINY, tinyModel } from '../../model/tiny-model.js'

const kernels = await loadKernels({ threads: 1 })
const model = await tinyModel(kernels, { ...TINY, context: 12 })
const sae = saeOf(kernels, randomArrays(10, TINY.dMlp), TINY.dMlp, 'blocks.0.mlp.hook_post')
const random = Random.named(1, 'contexts')
const progress = { progress: silentProgress }

/** Examples of random tokens, whose activation decides how much of them is enough. */
const requests: ContextRequest[] = Array.from({ length: 40 }, (_, i) => {
  const tokens = Array.from({ length: 10 }, () => 1 + random.int(9))
  const tokenIndex = i % 10
  const activation = 0.05 + 0.6 * random.uniform()
  const example = { tokens, tokenIndex, activations: tokens.map(() => activation) } as unknown as Example
  return { kind: i % 3 === 0 ? 'neuron' : 'feature', unit: i % 8, example }
})

/** Where each context starts in its window, by the packing's rule: one after the other, none over a window's end. */
function startsOf(): Map<string, number> {
  const starts = new Map<string, number>()
  let at = 0
  requests.forEach(({ example }, request) => {
    for (const length of contextLengths) {
      if (length > example.tokenIndex + 1) break
      if ((at % 12) + length > 12) at += 12 - (at % 12)
      starts.set(`${request} ${length}`, at)
      at += length
    }
  })
  return starts
}

/** Slow reference: runs one context in a window of its own, at a place in it, with other documents around. */
async function activationAlone(
  { kind, unit, example }: ContextRequest,
  length: number,
  at: number,
): Promise<number> {
  const tokens = new Uint16Array(13)
  tokens.set(example.tokens.slice(example.tokenIndex + 1 - length, example.tokenIndex + 1), at)
  const starts = Int32Array.from(tokens, (_, i) => i).filter((i) => i <= at || i >= at + length)
  const split: TokenSplit = { name: 'train', tokens, documentStarts: starts, documentIds: starts, bytes: 0 }
  const source = { model, sae, split, startOfText: 0, windows: Int32Array.of(0), batchWindows: 1 }
  for await (const batch of encodedWindows({ ...source, withActivations: true })) {
    const row = batch.rows.indexOf(at + length - 1)
    return kind === 'feature'
      ? activationOf(batch.codes, row, unit)
      : (batch.activations as Float32Array)[row * sae.d + unit]
  }
  throw new Error('no window')
}

test('the shortest context is the first that reaches half of the activation when it is run alone', async () => {
  const starts = startsOf()
  const expected: (number | null)[] = []
  for (const [i, request] of requests.entries()) {
    let shortest: number | null = null
    for (const length of contextLengths) {
      const start = starts.get(`${i} ${length}`)
      if (shortest !== null || start === undefined) break
      const value = await activationAlone(request, length, start % 12)
      if (value >= 0.5 * request.example.activations[0]) shortest = length
    }
    expected.push(shortest)
  }
  const found = await shortestContexts(requests, { model, sae, startOfText: 0 }, progress)
  assert.deepEqual(found, expected)
  // The examples are such that all cases come up.
  assert.ok(found.includes(null) && found.includes(1) && found.some((length) => (length ?? 0) > 1))
  assert.deepEqual(await shortestContexts(requests, { model, sae, startOfText: 0 }, progress, 3), found)
})

test('of an example near the beginning of its text no more is tried than there is', async () => {
  const example = { tokens: [1, 2], tokenIndex: 1, activations: [0, 1e6] } as unknown as Example
  const request = { kind: 'feature', unit: 0, example } as const
  assert.deepEqual(await shortestContexts([request], { model, sae, startOfText: 0 }, progress), [null])
  assert.deepEqual(await shortestContexts([], { model, sae, startOfText: 0 }, progress), [])
})
