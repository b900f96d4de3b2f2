import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { type ActivationStore, openActivations } from '../../src/activations/activation-store.js'
import { shardFile, shardTensors } from '../../src/activations/store-info.js'
import { openCorpus, type TokenCorpus } from '../../src/corpus/corpus.js'
import { fillWindows, locate, windowCount } from '../../src/corpus/windows.js'
import { bf16ToF32 } from '../../src/formats/half-floats.js'
import { toBf16 } from '../../src/kernels/bf16.js'
import { loadTransformer } from '../../src/model/model-stage.js'
import { createWorkspace, forward } from '../../src/model/transformer.js'
import { silentProgress } from '../../src/progress/progress.js'
import { openStage } from '../../src/storage/open-stage.js'
import { kernels, smallRun } from '../small-run.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { harvested } from './harvested.js'

const hook = ['blocks.0.mlp.hook_post', 'blocks.0.hook_resid_mid']
const lifetime = fileLifetime()
let inputs: { corpus: string; model: string }
let root: string
let corpus: TokenCorpus
before(async () => {
  ;({ inputs, root } = await smallRun(lifetime, { collect: false }))
  corpus = await openCorpus(inputs.corpus)
})

/** One row of a store: its ids and its activations at every hook point. */
interface Row {
  token: number
  position: number
  document: number
  activations: string[]
}

async function rowsOf(store: ActivationStore): Promise<Row[]> {
  const rows: Row[] = []
  for (const [shard, count] of store.info.shardRows.entries()) {
    const read = async (name: string, tensor: string) => {
      const reader = await store.openShard(name, shard)
      const { data } = await reader.read(tensor)
      await reader.close()
      return data
    }
    const ids = await Promise.all(
      [shardTensors.tokenIds, shardTensors.positions, shardTensors.documentIds].map((tensor) =>
        read(store.info.hooks[0].name, tensor),
      ),
    )
    const values = await Promise.all(store.info.hooks.map(({ name }) => read(name, shardTensors.activations)))
    for (let row = 0; row < count; row++) {
      const [token, position, document] = ids.map((id) => id[row])
      const activations = values.map((data, i) => {
        const { width } = store.info.hooks[i]
        return String(data.subarray(row * width, (row + 1) * width))
      })
      rows.push({ token, position, document, activations })
    }
  }
  return rows
}

/** What a store should hold, window by window in the order of the text. */
async function expectedRows(contextSize: number, keepBos = false): Promise<Row[]> {
  const { train, tokenizer } = corpus
  const model = await loadTransformer(kernels, inputs.model)
  const workspace = createWorkspace(model, 1, contextSize)
  const rows: Row[] = []
  for (let window = 0; window < windowCount(train, contextSize); window++) {
    const { tokens } = fillWindows(train, contextSize, [window])
    forward(model, workspace, fillWindows(train, contextSize, [window]))
    const values = await Promise.all(hook.map((name) => kernels.readF32(workspace.activations[name])))
    for (const [position, token] of tokens.entries()) {
      if (token === tokenizer.startOfText && !keepBos) continue
      const activations = values.map((data) => {
        const width = data.length / contextSize
        return String(data.subarray(position * width, (position + 1) * width))
      })
      const { document } = locate(train, window * contextSize + position)
      rows.push({ token, position, document, activations })
    }
  }
  return rows
}

const sorted = (rows: Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

test('every token of the text is stored once, with its ids and the activations of the model to the bit', async (t) => {
  const out = join(await temporaryDirectory(t), 'a')
  const store = await openActivations(await harvested(inputs, out, { hook, shardTokens: 200 }))
  const expected = await expectedRows(16)
  assert.equal(store.info.rows, expected.length)
  assert.ok(store.info.shardRows.length > 5)
  assert.deepEqual(sorted(await rowsOf(store)), sorted(expected))
  const { leftOutToken, contextSize, hooks } = store.info
  assert.deepEqual([leftOutToken, contextSize], [corpus.tokenizer.startOfText, 16])
  assert.deepEqual(hooks, [
    { name: hook[0], width: 12 },
    { name: hook[1], width: 8 },
  ])
})

test('--keep-bos keeps the start of documents, --context-size shortens what the model sees', async (t) => {
  const out = join(await temporaryDirectory(t), 'a')
  const options = { hook, keepBos: true, contextSize: 5, modelBatch: 3, shardTokens: 100 }
  const store = await openActivations(await harvested(inputs, out, options))
  assert.deepEqual(sorted(await rowsOf(store)), sorted(await expectedRows(5, true)))
  assert.equal(store.info.leftOutToken, null)
})

test('--tokens writes that many, a sample of the whole text', async (t) => {
  const out = join(await temporaryDirectory(t), 'a')
  const rows = await rowsOf(await openActivations(await harvested(inputs, out, { hook, tokens: 333 })))
  assert.equal(rows.length, 333)
  const expected = new Set(sorted(await expectedRows(16)))
  for (const row of sorted(rows)) assert.ok(expected.has(row))
  const documents = new Set(rows.map(({ document }) => document))
  assert.equal(documents.size, corpus.train.documentIds.length, 'every document is in the sample')
})

test('the size of the forward passes and of the shards changes no activation', async (t) => {
  const directory = await temporaryDirectory(t)
  const made = [
    { modelBatch: 1, shardTokens: 64 },
    { modelBatch: 7, shardTokens: 3000 },
  ].map((options, i) => harvested(inputs, join(directory, String(i)), { hook, ...options }))
  const [one, other] = await Promise.all(made.map(async (out) => rowsOf(await openActivations(await out))))
  assert.deepEqual(one, other)
})

test('bf16 is the activation rounded', async (t) => {
  const directory = await temporaryDirectory(t)
  const stores = await Promise.all(
    (['f32', 'bf16'] as const).map(async (dtype) =>
      openActivations(await harvested(inputs, join(directory, dtype), { dtype, tokens: 200 })),
    ),
  )
  const [exact, rounded] = await Promise.all(
    stores.map(async (store) => {
      const reader = await store.openShard(hook[0], 0)
      t.after(() => reader.close())
      return (await reader.read(shardTensors.activations)).data
    }),
  )
  assert.deepEqual(rounded, bf16ToF32(Uint16Array.from(exact, toBf16)))
})

test('the hashes taken while writing are those of the files', async (t) => {
  const out = join(await temporaryDirectory(t), 'a')
  const stage = await openStage(await harvested(inputs, out, { hook, shardTokens: 300 }), 'activations')
  const names = (await readdir(out)).filter((name) => name !== 'manifest.json')
  assert.deepEqual(Object.keys(stage.manifest.files).sort(), names.sort())
  for (const name of names) await stage.file(name)
})

test('what was stopped goes on after the last whole shard, and ends the same to the bit', async (t) => {
  const directory = await temporaryDirectory(t)
  const [whole, stopped] = ['whole', 'stopped'].map((name) => join(directory, name))
  await harvested(inputs, whole, { hook, shardTokens: 100 })
  let written = 0
  for (const limit of [1, 150, 700]) {
    const abort = new AbortController()
    let [first, last] = [-1, 0]
    const progress = {
      ...silentProgress,
      start: () => ({
        update: (done: number) => {
          if (first < 0) first = done
          last = done
          if (done >= limit) abort.abort()
        },
        end: () => {},
      }),
    }
    const run = harvested(inputs, stopped, { hook, shardTokens: 100 }, { signal: abort.signal, progress })
    await assert.rejects(run, { code: 'interrupted' })
    assert.ok(first >= written && first <= last, `started at ${first}`)
    written = first
  }
  assert.ok(written > 0, 'work was kept')
  await harvested(inputs, stopped, { hook, shardTokens: 100 })
  await assertSameFiles(whole, stopped)
})

async function assertSameFiles(one: string, other: string): Promise<void> {
  const names = (await readdir(one)).sort()
  assert.deepEqual((await readdir(other)).sort(), names)
  for (const name of names) {
    const [a, b] = await Promise.all([one, other].map((directory) => readFile(join(directory, name))))
    assert.ok(a.equals(b), name)
  }
}

test('a shard that got lost after the checkpoint is written again', async (t) => {
  const directory = await temporaryDirectory(t)
  const [whole, damaged] = ['whole', 'damaged'].map((name) => join(directory, name))
  await harvested(inputs, whole, { shardTokens: 100 })
  const abort = new AbortController()
  const update = (done: number) => done > 500 && abort.abort()
  const progress = { ...silentProgress, start: () => ({ update, end: () => {} }) }
  const run = harvested(inputs, damaged, { shardTokens: 100 }, { signal: abort.signal, progress })
  await assert.rejects(run, { code: 'interrupted' })
  await rm(join(`${damaged}.partial`, shardFile(hook[0], 1)))
  await harvested(inputs, damaged, { shardTokens: 100 })
  await assertSameFiles(whole, damaged)
})

test('what cannot be done is refused before anything is written', async (t) => {
  const out = join(await temporaryDirectory(t), 'a')
  const refused = (options: object, error: object) => assert.rejects(harvested(inputs, out, options), error)
  await refused({ hook: ['blocks.7.hook_mlp_out'] }, { code: 'config', hint: /hook_mlp_out/ })
  await refused({ hook: ['blocks.0.attn.hook_pattern'] }, { code: 'config', message: /has no width/ })
  await refused({ contextSize: 17 }, { code: 'config', message: /1 to 16 positions, got 17/ })
  await refused({ tokens: 1_000_000 }, { code: 'config', message: /at most \d+ tokens/, hint: /--tokens/ })
  assert.ok(!existsSync(out) && !existsSync(`${out}.partial`))
})

test('a full disk is named with the file, and what is whole is kept', {
  skip: existsSync('/dev/full') ? false : 'needs /dev/full',
}, async (t) => {
  const directory = await temporaryDirectory(t)
  const out = join(directory, 'a')
  const first = await openActivations(await harvested(inputs, join(directory, 'whole'), { shardTokens: 300 }))
  await mkdir(`${out}.partial`)
  await symlink('/dev/full', join(`${out}.partial`, `${shardFile(hook[0], 1)}.tmp`))
  await assert.rejects(harvested(inputs, out, { shardTokens: 300 }), {
    code: 'io',
    message: /hook_post-00001\.safetensors: the disk is full/,
    hint: /run the same command again/,
  })
  assert.ok(existsSync(join(`${out}.partial`, shardFile(hook[0], 0))), 'the first shard is kept')
  await harvested(inputs, out, { shardTokens: 300 })
  await assertSameFiles(first.directory, out)
})

test('a directory that may not be written to is an error that says so', async (t) => {
  const directory = await temporaryDirectory(t)
  const closed = join(directory, 'closed')
  await mkdir(closed)
  await chmod(directory, 0o755)
  await chmod(root, 0o755)
  await chmod(closed, 0o555)
  // Permissions do not hold for root.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  try {
    await assert.rejects(harvested(inputs, join(closed, 'a')), { code: 'io', hint: /permissions/ })
  } finally {
    if (isRoot) process.seteuid?.(0)
    await chmod(closed, 0o755)
  }
})
