import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tensor } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import {
  cachedForward,
  createKeyValueCache,
  freeKeyValueCache,
  rowLogits,
} from '../../src/model/cached-forward.js'
import { chooseToken } from '../../src/model/choose-token.js'
import { continueTexts, generate, type PassRows } from '../../src/model/generate.js'
import type { GenerateConfig } from '../../src/model/sample-config.js'
import { createWorkspace, forward, freeWorkspace, type Hook, hookNames } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import { pieceTokenizer } from './tiny-corpus.js'
import { TINY, tinyModel } from './tiny-model.js'

const kernels = await loadKernels()
const V = TINY.vocabularySize
const letters = pieceTokenizer([...'abcdefghij'].map((letter) => [letter.charCodeAt(0)]))
const model = await tinyModel(kernels, { ...TINY, context: 12 })

type Hooks = Record<string, Hook>

/** Logits after the last of some tokens, by a whole forward pass. */
async function plainLogits(tokens: readonly number[], hooks: Hooks = {}, on = model): Promise<Float32Array> {
  const T = tokens.length
  const workspace = createWorkspace(on, 1, T)
  const batch = {
    tokens: Int32Array.from(tokens),
    targets: new Int32Array(T).fill(-1),
    starts: new Int32Array(T),
  }
  forward(on, workspace, batch, { hooks })
  const logits = await on.kernels.readF32(workspace.logits)
  freeWorkspace(on, workspace)
  return logits.slice((T - 1) * V)
}

/** Logits after the last token of each text, the texts fed in pieces of these lengths. */
async function cachedLogits(
  texts: readonly (readonly number[])[],
  cuts: readonly number[],
  hooks: Hooks = {},
  on = model,
): Promise<Float32Array[]> {
  const cache = createKeyValueCache(on, texts.length)
  const found: Float32Array[] = []
  for (let piece = 0; piece <= cuts.length; piece++) {
    const [first, end] = [cuts[piece - 1] ?? 0, cuts[piece] ?? Number.POSITIVE_INFINITY]
    const rows = texts.flatMap((text, sequence) =>
      text.flatMap((token, position) =>
        position >= first && position < end ? [{ token, sequence, position }] : [],
      ),
    )
    if (rows.length === 0) continue
    const pass = cachedForward(
      on,
      cache,
      {
        tokens: Int32Array.from(rows, (row) => row.token),
        sequences: Int32Array.from(rows, (row) => row.sequence),
        positions: Int32Array.from(rows, (row) => row.position),
      },
      { hooks },
    )
    for (const [n, { sequence, position }] of rows.entries()) {
      if (position !== texts[sequence].length - 1) continue
      found[sequence] = await on.kernels.readF32(rowLogits(on, pass, Int32Array.of(n)))
    }
  }
  freeKeyValueCache(on, cache)
  return found
}

function assertClose(actual: Float32Array, expected: Float32Array, about: string): void {
  const scale = Math.max(...expected.map(Math.abs))
  const difference = Math.max(...expected.map((value, i) => Math.abs(value - actual[i])))
  assert.ok(difference <= 1e-4 * scale, `${about}: differs by ${difference} of ${scale}`)
}

const texts = [
  [0, 3, 1, 4, 1, 5],
  [0, 9],
  [0, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2],
]

test('logits with a cache equal those of a whole forward pass, however the texts are cut', async () => {
  for (const cuts of [[], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [4, 5], [2, 7]]) {
    const cached = await cachedLogits(texts, cuts)
    for (const [i, text] of texts.entries())
      assertClose(cached[i], await plainLogits(text), `text ${i} cut at ${cuts}`)
  }
})

test('a change at any hook point has the same effect in a pass with a cache as in a whole one', async () => {
  for (const on of [model, await tinyModel(createReferenceKernels(), model.config)]) {
    const free = await plainLogits(texts[2], {}, on)
    for (const name of hookNames(on.config))
      for (const factor of [3, 0]) {
        const hooks = { [name]: (x: Tensor) => on.kernels.scaleInPlace(x, factor) }
        const cached = await cachedLogits(texts, [3, 4, 5], hooks, on)
        for (const [i, text] of texts.entries())
          assertClose(
            cached[i],
            await plainLogits(text, hooks, on),
            `${on.kernels.name}, ${name} times ${factor}, text ${i}`,
          )
        const changed = free.some((value, v) => Math.abs(value - cached[2][v]) > 1e-3)
        assert.ok(changed || factor === 3, `${name} set to zero does something`)
      }
  }
})

test('rows out of range are refused', () => {
  const cache = createKeyValueCache(model, 2)
  const rows = (tokens: number[], sequences: number[], positions: number[]) => () =>
    cachedForward(model, cache, {
      tokens: Int32Array.from(tokens),
      sequences: Int32Array.from(sequences),
      positions: Int32Array.from(positions),
    })
  assert.throws(rows([V], [0], [0]), { code: 'shape', message: /tokens below 11, got 11/ })
  assert.throws(rows([1], [2], [0]), { code: 'shape', message: /sequences below 2, got 2/ })
  assert.throws(rows([1], [0], [12]), { code: 'shape', message: /positions below 12, got 12/ })
  assert.throws(rows([1, 2], [0], [0, 1]), { code: 'shape', message: /sequences \[2\], got \[1\]/ })
  assert.throws(rows([], [], []), { code: 'shape' })
  freeKeyValueCache(model, cache)
})

/** Writes a text by whole forward passes; where the context is full the window moves on to its last three quarters. */
async function plainly(prompt: string, config: GenerateConfig, hooks: Hooks = {}): Promise<number[]> {
  const random = Random.named(config.seed, 'sample')
  const tokens = [0, ...letters.encode(prompt)]
  const written: number[] = []
  let start = Math.max(0, tokens.length - model.config.context)
  while (written.length < config.maxTokens) {
    if (tokens.length - start > model.config.context) start = tokens.length - 9
    const token = chooseToken(await plainLogits(tokens.slice(start), hooks), config, random)
    if (token === 0) break
    tokens.push(token)
    written.push(token)
  }
  return written
}

const config = { maxTokens: 40, temperature: 1, topK: 0, topP: 0.9, seed: 47 }

test('the text is the one that whole forward passes give, within the context and beyond it, with hooks too', async () => {
  const hooks = { 'blocks.0.mlp.hook_post': (x: Tensor) => kernels.scaleInPlace(x, 0.5) }
  for (const prompt of ['', 'abc', 'abcabcabcabcabcabc'])
    for (const edits of [{}, hooks]) {
      const [{ tokens }] = await continueTexts(model, letters, [prompt], config, { hooks: edits })
      assert.deepEqual(tokens, await plainly(prompt, config, edits), `after ${JSON.stringify(prompt)}`)
      assert.ok(tokens.length > 2)
    }
})

test('a batch of prompts of different lengths gives what each gives alone', async () => {
  const greedy = { maxTokens: 30, temperature: 0 }
  const prompts = ['abc', 'j', 'hhhhhhhhhhhhhhhh', '']
  const together = await continueTexts(model, letters, prompts, greedy)
  for (const [i, prompt] of prompts.entries())
    assert.deepEqual(together[i], (await continueTexts(model, letters, [prompt], greedy))[0], prompt)
  const [first] = await continueTexts(model, letters, ['abc', 'j'], config)
  assert.deepEqual(first, (await continueTexts(model, letters, ['abc'], config))[0])
  const copies = await continueTexts(model, letters, ['abc', 'abc'], config)
  assert.notDeepEqual(copies[0], copies[1], 'each text has its own random numbers')
})

test('tokens stream in steps, and a finished text does not hold up the others', async () => {
  const steps: number[][] = [[], []]
  for await (const { sequence, token } of generate(model, letters, ['ab', 'c'], config))
    steps[sequence].push(token)
  assert.deepEqual(
    steps,
    (await continueTexts(model, letters, ['ab', 'c'], config)).map(({ tokens }) => tokens),
  )
  assert.deepEqual(await continueTexts(model, letters, [], config), [])
})

test('hooks learn what their rows are: new positions only, and from the last prompt token on those that write', async () => {
  const passes: PassRows[] = []
  const hooks = (rows: PassRows) => {
    passes.push(rows)
    return {}
  }
  const [{ tokens }] = await continueTexts(model, letters, ['abc'], { ...config, seed: 6 }, { hooks })
  assert.ok(tokens.length >= 9)
  assert.deepEqual([...passes[0].tokens], [0, 1, 2, 3])
  assert.deepEqual([...passes[0].indices], [0, 1, 2, 3])
  assert.deepEqual([...passes[0].writes], [0, 0, 0, 1])
  assert.deepEqual(
    passes.slice(1, 9).map(({ indices, writes }) => [...indices, ...writes]),
    [4, 5, 6, 7, 8, 9, 10, 11].map((index) => [index, 1]),
  )
  assert.deepEqual([...passes[9].indices], [4, 5, 6, 7, 8, 9, 10, 11, 12], 'the window moved on')
  assert.deepEqual([...passes[9].tokens], tokens.slice(0, 9))
})

test('hooks that make the logits infinite end the writing with an error', async () => {
  const hooks = { 'blocks.1.hook_resid_post': (x: Tensor) => kernels.fill(x, Number.NaN) }
  await assert.rejects(continueTexts(model, letters, ['abc'], {}, { hooks }), {
    code: 'diverged',
    message: /finite logits/,
  })
})
