import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadKernels } from '../../src/kernels/load.js'
import type { NdArray } from '../../src/kernels/nd-array.js'
import { createLanguageModel, type LanguageModel } from '../../src/model/language-model.js'
import { createWorkspace, forward, hookNames, hookWidth, loss } from '../../src/model/transformer.js'
import { cyclicModel, pieceTokenizer } from './tiny-corpus.js'
import { TINY, tinyModel } from './tiny-model.js'

const kernels = await loadKernels()
const letters = pieceTokenizer([...'abcdefghij'].map((letter) => [letter.charCodeAt(0)]))
const tiny = async (): Promise<LanguageModel> =>
  createLanguageModel(await tinyModel(kernels), letters, 'tiny')
const tokens = [
  [0, 3, 1, 4, 1],
  [0, 9, 2, 6, 5],
]
const [B, T, D, V] = [2, 5, TINY.dModel, TINY.vocabularySize]
const hook = 'blocks.0.hook_resid_post'

function assertClose(actual: Float32Array, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, expected.length)
  for (let i = 0; i < actual.length; i++)
    assert.ok(Math.abs(actual[i] - expected[i]) <= tolerance, `${i}: ${actual[i]}, expected ${expected[i]}`)
}

test('logits, losses and activations are those of the plain forward pass', async () => {
  const model = await tiny()
  const result = await model.forward(tokens, { read: hookNames(TINY), logits: true, loss: true })
  const workspace = createWorkspace(model.transformer, B, T)
  const flat = Int32Array.from(tokens.flat())
  const targets = flat.map((_, n) => ((n + 1) % T === 0 ? -1 : flat[n + 1]))
  forward(model.transformer, workspace, { tokens: flat, targets, starts: new Int32Array(B * T) })
  assert.deepEqual(result.logits.shape, [B, T, V])
  assertClose(result.logits.data, await kernels.readF32(workspace.logits), 1e-5)
  for (const name of hookNames(TINY)) {
    const { shape, data } = result.activations[name]
    assert.deepEqual(data, await kernels.readF32(workspace.activations[name]), name)
    const pattern = name.endsWith('hook_pattern')
    assert.deepEqual(shape, pattern ? [B, TINY.heads, T, T] : [B, T, hookWidth(TINY, name)], name)
  }
  const losses = await kernels.readF32(loss(model.transformer, workspace))
  assert.deepEqual(result.tokenLosses.shape, [B, T - 1])
  assertClose(
    result.tokenLosses.data,
    losses.filter((_, n) => (n + 1) % T !== 0),
    1e-5,
  )
  const mean = losses.reduce((sum, nats) => sum + nats, 0) / (B * (T - 1))
  assert.ok(Math.abs(result.loss - mean) < 1e-5)
})

test('tokens come as one sequence, several, or with their shape', async () => {
  const model = await tiny()
  const { logits } = await model.forward(tokens)
  const flat: NdArray<Int32Array> = { shape: [B, T], data: Int32Array.from(tokens.flat()) }
  assert.deepEqual((await model.forward(flat)).logits, logits)
  assert.deepEqual((await model.forward(tokens.map((row) => Int32Array.from(row)))).logits, logits)
  const one = await model.forward(Int32Array.from(tokens[0]))
  assert.deepEqual(one.logits.shape, [1, T, V])
  assertClose(one.logits.data, logits.data.slice(0, T * V), 1e-4)
})

test('a pass gives what it is asked for, and says when that was not asked for', async () => {
  const model = await tiny()
  const read = await model.forward(tokens, { read: [hook] })
  assert.deepEqual(Object.keys(read.activations), [hook])
  assert.throws(() => read.logits, { code: 'config', hint: /logits: true/ })
  assert.throws(() => read.loss, { code: 'config', hint: /loss: true/ })
  const predicted = await model.forward(tokens, { loss: true })
  assert.ok(predicted.loss > 0)
  assert.throws(() => predicted.logits, { code: 'config' })
})

test('a pass ends after the last hook point that is wanted', async () => {
  const model = await tiny()
  const reached: string[] = []
  const hooks = Object.fromEntries(
    hookNames(TINY).map((name) => [name, (_: unknown, at: string) => void reached.push(at)]),
  )
  const upTo = (name: string) => hookNames(TINY).slice(0, hookNames(TINY).indexOf(name) + 1)
  await model.forward(tokens, { read: [hook, 'blocks.0.attn.hook_z'], hooks })
  assert.deepEqual(reached.splice(0), upTo(hook))
  await model.forward(tokens, { stopAfter: 'blocks.0.ln1.hook_normalized', hooks })
  assert.deepEqual(reached.splice(0), upTo('blocks.0.ln1.hook_normalized'))
  await model.forward(tokens, { read: [hook], loss: true, hooks })
  assert.deepEqual(reached.splice(0), hookNames(TINY))
})

test('hooks replace activations, also those that wait', async () => {
  const model = await tiny()
  const zero = { [hook]: (x: Parameters<typeof kernels.fill>[0]) => kernels.fill(x, 0) }
  const wait = {
    [hook]: async (x: Parameters<typeof kernels.fill>[0]) => {
      const values = await kernels.readF32(x)
      kernels.write(x, values.fill(0))
    },
  }
  const [plain, zeroed, waited] = [
    await model.forward(tokens),
    await model.forward(tokens, { hooks: zero }),
    await model.forward(tokens, { hooks: wait }),
  ]
  assert.deepEqual(waited.logits, zeroed.logits)
  assert.notDeepEqual(zeroed.logits, plain.logits)
  const { activations } = await model.forward(tokens, { hooks: wait, read: [hook] })
  assert.ok(activations[hook].data.every((value) => value === 0))
})

test('hooks of a model come before those of a call', async () => {
  const model = await tiny()
  const seen: number[] = []
  const filled = model.withHooks({ [hook]: (x) => kernels.fill(x, 1) })
  const doubled = filled.withHooks({ [hook]: (x) => kernels.scaleInPlace(x, 2) })
  await doubled.forward(tokens, {
    read: [hook],
    hooks: { [hook]: async (x) => void seen.push((await kernels.readF32(x))[0]) },
  })
  assert.deepEqual(seen, [2])
  assert.deepEqual((await model.forward(tokens)).logits, (await (await tiny()).forward(tokens)).logits)
})

test('the gradient of the loss and of a logit equals finite differences', async () => {
  const model = await tiny()
  const target = { kind: 'logit-difference', target: 3, against: 7, position: 2 } as const
  const value = async (of: 'loss' | typeof target, at: number, delta: number): Promise<number> => {
    const hooks = {
      [hook]: async (x: Parameters<typeof kernels.write>[0]) => {
        const values = await kernels.readF32(x)
        values[at] += delta
        kernels.write(x, values)
      },
    }
    return (await model.gradients(tokens, { read: [], of, hooks })).value
  }
  for (const of of ['loss', target] as const) {
    const { gradients, activations } = await model.gradients(tokens, { read: [hook], of })
    assert.deepEqual(gradients[hook].shape, [B, T, D])
    assert.deepEqual(activations[hook], (await model.forward(tokens, { read: [hook] })).activations[hook])
    for (const at of [0, 9, D * 2 + 3, D * T + 5]) {
      const slope = ((await value(of, at, 1e-2)) - (await value(of, at, -1e-2))) / 2e-2
      assert.ok(
        Math.abs(slope - gradients[hook].data[at]) < 2e-3,
        `${at}: ${slope}, ${gradients[hook].data[at]}`,
      )
    }
  }
  const { loss } = await model.forward(tokens, { loss: true })
  assert.ok(Math.abs((await model.gradients(tokens, { read: [] })).value - loss) < 1e-5)
})

test('a function of the logits can be differentiated, and the pattern has a gradient', async () => {
  const model = await tiny()
  const pattern = 'blocks.1.attn.hook_pattern'
  const at = T - 1
  const byName = await model.gradients(tokens[0], {
    read: [hook],
    of: { kind: 'logit-difference', target: 2, against: 4 },
  })
  const byFunction = await model.gradients(tokens[0], {
    read: [hook, pattern],
    of: ({ data }) => {
      const value = data[at * V + 2] - data[at * V + 4]
      data.fill(0)
      data[at * V + 2] = 1
      data[at * V + 4] = -1
      return { value, gradient: data }
    },
  })
  assert.equal(byFunction.value, byName.value)
  // The pass with a hook on the pattern mixes the values in another order of sums.
  assertClose(byFunction.gradients[hook].data, byName.gradients[hook].data, 1e-5)
  assert.deepEqual(byFunction.gradients[pattern].shape, [1, TINY.heads, T, T])
  assert.ok(byFunction.gradients[pattern].data.some((slope) => slope !== 0))
})

test('texts are streamed as the characters that tokens complete', async () => {
  const euro = pieceTokenizer([[0xe2], [0x82], [0xac]])
  const model = createLanguageModel(cyclicModel(kernels, [1, 2, 3, 1]), euro, 'euro')
  const pieces: string[] = []
  for await (const { text } of model.generate('', { temperature: 0, maxTokens: 6 })) pieces.push(text)
  assert.deepEqual(pieces, ['', '', '€', '', '', '€'])
  const [first, second] = await model.write(['', '€'], { temperature: 0, maxTokens: 3 })
  assert.deepEqual([first.text, second.text], ['€', '€'])
})

test('hooks take part in writing', async () => {
  const model = createLanguageModel(cyclicModel(kernels, [1, 2, 3, 4, 5, 6, 7, 1]), letters, 'cycle')
  const [plain] = await model.write(['c'], { temperature: 0, maxTokens: 3 })
  assert.equal(plain.text, 'def')
  const [first] = letters.encode('a')
  const ofA = new Float32Array(8)
  ofA[first] = 1
  const onlyA = async (x: Parameters<typeof kernels.write>[0]) => {
    const [rows] = x.shape
    kernels.write(
      x,
      Float32Array.from({ length: rows * 8 }, (_, i) => ofA[i % 8]),
    )
  }
  const [hooked] = await model.write(['c'], {
    temperature: 0,
    maxTokens: 3,
    hooks: { 'blocks.0.hook_resid_post': onlyA },
  })
  assert.equal(hooked.text, 'bbb')
})

test('a text starts with the start-of-text token, once', async () => {
  const model = await tiny()
  assert.deepEqual(model.tokenize('ab'), [0, 1, 2])
  assert.deepEqual(model.tokenize('ab', { prependBos: false }), [1, 2])
})

test('tokens that the model cannot read are refused', async () => {
  const model = await tiny()
  const refused = (input: Parameters<LanguageModel['forward']>[0], message: RegExp) =>
    assert.rejects(model.forward(input), { code: 'shape', message })
  await refused([1, 2, 11], /0 to 10, got 11 at position 2 of sequence 0/)
  await refused(
    [
      [1, 2],
      [-1, 3],
    ],
    /got -1 at position 0 of sequence 1/,
  )
  await refused([1.5], /got 1.5/)
  await refused([[1, 2], [3]], /one length, got 2 tokens in the first and 1 in sequence 1/)
  await refused([1, 2, 3, 4, 5, 6, 7], /at most 6 .* got 7/)
  await refused([], /at least one/)
  await refused([[]], /at least one/)
  await refused({ shape: [2, 2], data: Int32Array.of(1, 2, 3) }, /\[B, T\] ids, got 3/)
})

test('hook points that the model does not have are refused, with those that look like them', async () => {
  const model = await tiny()
  const unknown = {
    code: 'config',
    message: /called blocks.0.resid_post/,
    hint: /mean one of blocks.0.hook_resid_post,/,
  } as const
  const name = 'blocks.0.resid_post'
  await assert.rejects(model.forward(tokens, { read: [name] }), unknown)
  await assert.rejects(model.forward(tokens, { hooks: { [name]: () => {} } }), unknown)
  await assert.rejects(model.forward(tokens, { stopAfter: name }), unknown)
  await assert.rejects(model.gradients(tokens, { read: [name] }), unknown)
  await assert.rejects(model.forward(tokens, { read: [hook], stopAfter: 'hook_embed' }), {
    code: 'config',
    message: /does not reach/,
  })
  await assert.rejects(model.forward(tokens, { logits: true, stopAfter: hook }), {
    code: 'config',
    message: /the logits/,
  })
})

test('gradients of what is not there are refused', async () => {
  const model = await tiny()
  const refused = (options: Parameters<LanguageModel['gradients']>[1], code: string) =>
    assert.rejects(model.gradients(tokens, options), { code })
  await refused({ read: [hook], of: { kind: 'logit', target: 11 } }, 'config')
  await refused({ read: [hook], of: { kind: 'logit', target: 1, position: 5 } }, 'config')
  await refused({ read: [hook], of: () => ({ value: 0, gradient: new Float32Array(3) }) }, 'shape')
  await assert.rejects(model.gradients([1], { read: [hook] }), { code: 'shape', message: /one token/ })
})
