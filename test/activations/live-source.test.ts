import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createLiveSource, type LiveSourceOptions } from '../../src/activations/live-source.js'
import type { TokenCorpus, TokenSplit } from '../../src/corpus/corpus.js'
import { fillWindows, windowCount } from '../../src/corpus/windows.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createTransformer, createWorkspace, forward, type Transformer } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'

const hookName = 'blocks.0.mlp.hook_post'
const context = 6
const startOfText = 0
const shape = { layers: 1, dModel: 4, heads: 2, dMlp: 7, context, vocabularySize: 30 }

let kernels: Kernels
let model: Transformer
before(async () => {
  kernels = await loadKernels({ threads: 1 })
  model = createTransformer(kernels, shape, 3)
})

/** Documents of the given lengths, each begun by <|endoftext|>. */
function split(lengths: number[]): TokenSplit {
  const random = new Random(5)
  const tokens: number[] = []
  const starts: number[] = []
  for (const length of lengths) {
    starts.push(tokens.length)
    tokens.push(startOfText)
    for (let i = 0; i < length; i++) tokens.push(1 + random.int(29))
  }
  return {
    name: 'train',
    tokens: Uint16Array.from(tokens),
    documentStarts: Int32Array.from(starts),
    documentIds: Int32Array.from(starts.keys()),
    bytes: tokens.length,
  }
}

const corpusOf = (train: TokenSplit) =>
  ({ directory: '', tokenizer: { startOfText }, train, validation: train }) as unknown as TokenCorpus

// 67 tokens: 11 windows; document starts fall inside windows, on their borders, and two in one window
const train = split([20, 2, 1, 17, 10, 11])

const source = (options: Partial<LiveSourceOptions> = {}): ActivationSource =>
  createLiveSource(kernels, model, corpusOf(train), {
    hookName,
    seed: 1,
    bufferTokens: 16,
    dtype: 'f32',
    modelBatch: 2,
    ...options,
  })

/** The rows of `count` batches, as texts that can be compared. */
async function rowsOf(
  from: ActivationSource,
  batchSize: number,
  skip: number,
  count: number,
): Promise<string[]> {
  const rows: string[] = []
  if (count === 0) return rows
  let batches = 0
  for await (const batch of from.batches({ batchSize, skip })) {
    assert.ok(!('x' in batch))
    assert.deepEqual(batch.shape, [batchSize, from.d])
    assert.equal(batch.dtype, 'f32')
    const values = await kernels.readF32(batch)
    for (let n = 0; n < batchSize; n++) rows.push(String(values.subarray(n * from.d, (n + 1) * from.d)))
    if (++batches === count) break
  }
  return rows
}

/** Every activation of an epoch in order of the text, straight from the model. */
async function everyRow(contextSize = context): Promise<string[]> {
  const workspace = createWorkspace(model, 1, contextSize)
  const rows: string[] = []
  for (let window = 0; window < windowCount(train, contextSize); window++) {
    const batch = fillWindows(train, contextSize, [window])
    forward(model, workspace, batch, { stopAfter: hookName })
    const values = await kernels.readF32(workspace.activations[hookName])
    for (let t = 0; t < contextSize; t++)
      if (batch.tokens[t] !== startOfText)
        rows.push(String(values.subarray(t * shape.dMlp, (t + 1) * shape.dMlp)))
  }
  return rows
}

test('every epoch gives each activation exactly once, without those of <|endoftext|>', async () => {
  const expected = (await everyRow()).sort()
  assert.equal(new Set(expected).size, expected.length, 'the activations of the test differ')
  // 66 tokens in windows, 6 of them <|endoftext|>; batches of 5, so that 12 batches are an epoch
  assert.equal(expected.length, 60)
  for (const bufferTokens of [5, 16, 60, 1000])
    for (const modelBatch of [1, 2, 7]) {
      const rows = await rowsOf(source({ bufferTokens, modelBatch }), 5, 0, 24)
      assert.deepEqual(rows.slice(0, 60).sort(), expected, `first epoch, buffer ${bufferTokens}`)
      assert.deepEqual(rows.slice(60).sort(), expected, `second epoch, buffer ${bufferTokens}`)
      assert.notDeepEqual(rows.slice(0, 60), rows.slice(60), 'epochs differ in order')
    }
})

test('sequences can be shorter than the context of the model', async () => {
  const expected = (await everyRow(3)).sort()
  const short = source({ contextSize: 3, modelBatch: 1 })
  assert.deepEqual((await rowsOf(short, 5, 0, 12)).sort(), expected)
  assert.notDeepEqual(expected, (await everyRow()).sort())
  assert.equal(short.metadata?.context_size, 3)
})

test('skipping batches is the same as taking and ignoring them', async () => {
  const all = await rowsOf(source(), 4, 0, 40)
  for (const skip of [1, 3, 4, 5, 14, 15, 16, 33])
    assert.deepEqual(await rowsOf(source(), 4, skip, 6), all.slice(skip * 4, (skip + 6) * 4), `skip ${skip}`)
})

test('rows are mixed across windows, and the seed decides how', async () => {
  const text = await everyRow()
  const position = (row: string) => text.indexOf(row)
  const rows = (await rowsOf(source({ bufferTokens: 1000 }), 5, 0, 12)).map(position)
  const neighbours = rows.filter((at, i) => i > 0 && at === rows[i - 1] + 1).length
  assert.ok(neighbours < 10, `${neighbours} rows follow their neighbour in the text`)
  assert.deepEqual((await rowsOf(source({ bufferTokens: 1000 }), 5, 0, 12)).map(position), rows)
  assert.notDeepEqual((await rowsOf(source({ bufferTokens: 1000, seed: 2 }), 5, 0, 12)).map(position), rows)
})

test('a bf16 buffer gives the same rows to 8 bits of precision', async () => {
  const exact = await rowsOf(source(), 4, 0, 4)
  const rounded = await rowsOf(source({ dtype: 'bf16' }), 4, 0, 4)
  exact.forEach((row, n) => {
    const values = rounded[n].split(',').map(Number)
    row.split(',').forEach((value, c) => {
      assert.ok(Math.abs(values[c] - Number(value)) <= Math.abs(Number(value)) / 256)
    })
  })
})

test('the source says where its activations come from', () => {
  assert.equal(source().d, shape.dMlp)
  assert.equal(source({ hookName: 'blocks.0.hook_resid_pre' }).d, shape.dModel)
  assert.deepEqual(source().metadata, {
    model_name: 'monosem',
    hook_name: hookName,
    context_size: context,
    prepend_bos: false,
  })
})

test('an unknown hook point, too small a buffer and too short a text are refused', async () => {
  assert.throws(() => source({ hookName: 'blocks.1.mlp.hook_post' }), {
    code: 'config',
    hint: /mlp\.hook_post/,
  })
  await assert.rejects(rowsOf(source({ bufferTokens: 4 }), 5, 0, 1), {
    code: 'config',
    hint: /--buffer-tokens/,
  })
  const short = corpusOf(split([3]))
  const options: LiveSourceOptions = { hookName, seed: 1, bufferTokens: 16, dtype: 'f32', modelBatch: 2 }
  assert.throws(() => createLiveSource(kernels, model, short, options), {
    code: 'config',
    message: /window of 6/,
  })
})

test('two hook points come from one forward pass, side by side and in the same order', async () => {
  const targetHookName = 'blocks.0.hook_mlp_out'
  const pairs = source({ targetHookName })
  assert.deepEqual([pairs.d, pairs.dOut], [shape.dMlp, shape.dModel])
  assert.equal(pairs.metadata?.hook_name_out, targetHookName)
  const [inputs, targets] = [
    await rowsOf(source(), 4, 3, 8),
    await rowsOf(source({ hookName: targetHookName }), 4, 3, 8),
  ]
  const rows = (values: Float32Array, d: number) =>
    Array.from({ length: values.length / d }, (_, n) => String(values.subarray(n * d, (n + 1) * d)))
  let first = 0
  for await (const batch of pairs.batches({ batchSize: 4, skip: 3 })) {
    assert.ok('x' in batch)
    assert.deepEqual(rows(await kernels.readF32(batch.x), shape.dMlp), inputs.slice(first, first + 4))
    assert.deepEqual(rows(await kernels.readF32(batch.y), shape.dModel), targets.slice(first, first + 4))
    first += 4
    if (first === 32) break
  }
})

test('a row of a batch is located in the text', async () => {
  const [d, live] = [shape.dMlp, source()]
  const places = await everyPlace()
  let batch = 2
  for await (const x of live.batches({ batchSize: 4, skip: batch })) {
    assert.ok(!('x' in x))
    const values = await kernels.readF32(x)
    for (let row = 0; row < 4; row++)
      assert.equal(
        live.locate?.({ batch, row, batchSize: 4 }),
        places.get(String(values.subarray(row * d, (row + 1) * d))),
      )
    if (++batch === 20) break
  }
})

/** Every activation of an epoch, and the words for where it is. */
async function everyPlace(): Promise<Map<string, string>> {
  const rows = await everyRow()
  const places = new Map<string, string>()
  const starts = [...train.documentStarts]
  let next = 0
  for (let token = 0; token < windowCount(train, context) * context; token++) {
    if (train.tokens[token] === startOfText) continue
    const document = starts.findLastIndex((start) => start <= token)
    places.set(rows[next++], `token ${token - starts[document]} of document ${document}, train split`)
  }
  return places
}
