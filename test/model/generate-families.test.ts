import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import { continueTexts } from '../../src/model/generate.js'
import { createWorkspace, forward, freeWorkspace, type Transformer } from '../../src/model/transformer.js'
import { pieceTokenizer } from './tiny-corpus.js'
import { FAMILIES, tinyModel } from './tiny-model.js'

const kernels = await loadKernels()
const letters = pieceTokenizer([...'abcdefghij'].map((letter) => [letter.charCodeAt(0)]))

/** The most likely token after some tokens, by a whole forward pass. */
async function nextToken(model: Transformer, tokens: readonly number[]): Promise<number> {
  const T = tokens.length
  const workspace = createWorkspace(model, 1, T)
  const none = new Int32Array(T)
  forward(model, workspace, { tokens: Int32Array.from(tokens), targets: none.map(() => -1), starts: none })
  const logits = await kernels.readF32(kernels.rows(workspace.logits, T - 1, 1))
  freeWorkspace(model, workspace)
  return logits.indexOf(Math.max(...logits))
}

for (const [family, config] of Object.entries(FAMILIES))
  test(`${family}: writing greedily with a cache gives the tokens of whole forward passes`, async () => {
    const model = await tinyModel(kernels, { ...config, context: 40 })
    const prompts = ['abcd', 'j']
    const written = await continueTexts(model, letters, prompts, { maxTokens: 20, temperature: 0 })
    for (const [i, prompt] of prompts.entries()) {
      const tokens = [letters.startOfText, ...letters.encode(prompt)]
      const first = tokens.length
      while (tokens.length < first + 20) {
        const token = await nextToken(model, tokens)
        if (token === letters.endOfText) break
        tokens.push(token)
      }
      assert.deepEqual(written[i].tokens, tokens.slice(first), prompt)
    }
  })
