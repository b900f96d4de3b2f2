import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readSafetensors, type SafeTensor, writeSafetensors } from '../../../src/formats/safetensors.js'
import { openCheckpoint } from '../../../src/formats/safetensors-index.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { type LoadOptions, loadHuggingFaceModel } from '../../../src/model/huggingface/load.js'
import { type Progress, silentProgress } from '../../../src/progress/progress.js'

const root = fileURLToPath(new URL('../../../../test/golden/hf/', import.meta.url))
const kernels = await loadKernels({ implementation: 'reference' })

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-huggingface-'))
})
after(() => rm(directory, { recursive: true }))

/** A copy of a golden checkpoint, with other tensors or another configuration. */
async function changed(
  name: string,
  change: (tensors: Record<string, SafeTensor>) => void,
  config: Record<string, unknown> = {},
): Promise<string> {
  const copy = await mkdtemp(join(directory, `${name}-`))
  await cp(join(root, name), copy, { recursive: true })
  const { tensors } = await readSafetensors(join(root, name, 'model.safetensors'))
  change(tensors)
  await writeSafetensors(join(copy, 'model.safetensors'), tensors)
  const value = JSON.parse(await readFile(join(copy, 'config.json'), 'utf8'))
  await writeFile(join(copy, 'config.json'), JSON.stringify({ ...value, ...config }))
  return copy
}

/** Loads and returns the parameters' values and what was noted. */
async function load(path: string, options: LoadOptions = {}) {
  const notes: string[] = []
  const progress: Progress = { ...silentProgress, note: (text) => notes.push(text) }
  const { params, config } = await loadHuggingFaceModel(kernels, path, { progress, ...options })
  const values: Record<string, Float32Array> = {}
  for (const [name, tensor] of Object.entries(params)) values[name] = await kernels.readF32(tensor)
  return { params, values, config, notes }
}

const fails = (path: string, code: string, message: RegExp) =>
  assert.rejects(loadHuggingFaceModel(kernels, path), { name: 'MonosemError', code, message })

const transposed = (data: ArrayLike<number>, [rows, columns]: readonly number[]): Float32Array =>
  Float32Array.from({ length: data.length }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)])

const headName = 'lm_head.weight'
const queryName = 'model.layers.1.self_attn.q_proj.weight'

test('weights may be kept in bf16: those of a BF16 checkpoint to the bit, norms in f32', async () => {
  const path = join(root, 'llama-bf16-shards')
  const { params, values, notes } = await load(path, { weights: 'bf16' })
  const { values: wide } = await load(path)
  const checkpoint = await openCheckpoint(path)
  const stored = await checkpoint.read(queryName)
  await checkpoint.close()
  assert.deepEqual(values['blocks.1.attn.W_Q'], transposed(stored.data, stored.shape))
  assert.deepEqual(values, wide)
  for (const [name, { shape, dtype }] of Object.entries(params))
    assert.equal(dtype, shape.length === 2 ? 'bf16' : 'f32', name)
  assert.deepEqual(notes, [])
})

test('F32 and F16 weights are rounded to the nearest bf16', async () => {
  for (const name of ['llama', 'gpt2-f16-no-prefix']) {
    const { values } = await load(join(root, name), { weights: 'bf16' })
    const { values: wide } = await load(join(root, name))
    for (const [parameter, value] of Object.entries(values)) {
      const tolerance = parameter.includes('W_') ? 2 ** -8 : 0
      value.forEach((x, i) => {
        const exact = wide[parameter][i]
        assert.ok(Math.abs(x - exact) <= tolerance * Math.abs(exact), `${parameter}[${i}]: ${x}, ${exact}`)
      })
    }
  }
})

test("Gemma's norms get the 1 that the checkpoint leaves out", async () => {
  const { values } = await load(join(root, 'gemma2'))
  const { tensors } = await readSafetensors(join(root, 'gemma2', 'model.safetensors'))
  const stored = tensors['model.layers.0.pre_feedforward_layernorm.weight'].data as Float32Array
  assert.deepEqual(
    values['blocks.0.ln2.w'],
    stored.map((w) => w + 1),
  )
})

test('a matrix that is larger than what is read at once arrives whole', async () => {
  const V = 70_001
  const embedding = Float32Array.from({ length: V * 16 }, (_, i) => i % 4093)
  const head = embedding.map((x) => -x)
  const path = await changed(
    'mistral',
    (tensors) => {
      tensors['model.embed_tokens.weight'] = { shape: [V, 16], data: embedding }
      tensors[headName] = { shape: [V, 16], data: head }
    },
    { vocab_size: V },
  )
  const { values } = await load(path)
  assert.deepEqual(values['embed.W_E'], embedding)
  assert.deepEqual(values['unembed.W_U'], transposed(head, [V, 16]))
})

test('a missing tensor is named, with its shape and file', async () => {
  const path = await changed('llama', (tensors) => delete tensors[queryName])
  await fails(
    path,
    'missing',
    /model\.safetensors: expected a tensor model\.layers\.1\.self_attn\.q_proj\.weight \[48, 48\]/,
  )
  const headless = await changed('llama', (tensors) => delete tensors[headName])
  await assert.rejects(loadHuggingFaceModel(kernels, headless), {
    code: 'missing',
    hint: /without its language-modelling head/,
  })
})

test('a tensor of another shape or type is named, with what was expected and what came', async () => {
  const bias = 'transformer.h.2.attn.c_attn.bias'
  const shorter = await changed('gpt2', (tensors) => {
    tensors[bias] = { shape: [48], data: new Float32Array(48) }
  })
  await fails(
    shorter,
    'shape',
    /model\.safetensors: expected transformer\.h\.2\.attn\.c_attn\.bias as \[144\], got F32 \[48\]/,
  )
  const whole = await changed('gpt2', (tensors) => {
    tensors[bias] = { shape: [144], data: new Int32Array(144) }
  })
  await fails(whole, 'format', /expected transformer\.h\.2\.attn\.c_attn\.bias as F32, .*got I32 \[144\]/)
})

test('tensors that are not part of the model are noted, masks and frequencies of older versions are not', async () => {
  const path = await changed('gpt-neox', (tensors) => {
    tensors['gpt_neox.layers.0.attention.bias'] = { shape: [1, 1, 2, 2], data: new Uint8Array(4) }
    tensors['gpt_neox.layers.0.attention.masked_bias'] = { shape: [], data: new Float32Array(1) }
    tensors['gpt_neox.layers.0.attention.rotary_emb.inv_freq'] = { shape: [2], data: new Float32Array(2) }
    tensors['gpt_neox.layers.3.input_layernorm.weight'] = { shape: [48], data: new Float32Array(48) }
  })
  const { notes } = await load(path)
  assert.equal(notes.length, 1)
  assert.match(
    notes[0],
    /model\.safetensors: not part of the model: gpt_neox\.layers\.3\.input_layernorm\.weight$/,
  )
})

test('weights that are NaN or infinite are counted and named', async () => {
  const path = await changed('llama', (tensors) => {
    tensors[queryName].data[5] = Number.NaN
    tensors[queryName].data[9] = Number.NEGATIVE_INFINITY
    tensors['model.norm.weight'].data[0] = Number.POSITIVE_INFINITY
  })
  for (const weights of ['f32', 'bf16'] as const) {
    const { notes } = await load(path, { weights })
    assert.equal(notes.length, 1)
    assert.match(
      notes[0],
      /NaN or infinite in .*q_proj\.weight \(2 of 2304\), model\.norm\.weight \(1 of 48\)/,
    )
  }
})

test('NaN in a checkpoint of BF16 bits is found too', async () => {
  const path = await changed('llama', (tensors) => {
    const bits = new Uint16Array(48 * 48)
    bits[7] = 0xffc1
    tensors[queryName] = { shape: [48, 48], data: bits, dtype: 'BF16' }
  })
  for (const weights of ['f32', 'bf16'] as const)
    assert.match((await load(path, { weights })).notes[0], /q_proj\.weight \(1 of 2304\)/)
})

test('a stored head that differs from the embeddings counts, though the configuration ties them', async () => {
  const embeddingName = 'model.embed_tokens.weight'
  const head = (value: number) => (tensors: Record<string, SafeTensor>) => {
    const { shape, data } = tensors[embeddingName]
    tensors[headName] = { shape, data: (data as Float32Array).slice() }
    tensors[headName].data[777] += value
  }
  const equal = await load(await changed('qwen2', head(0)))
  assert.deepEqual([equal.config.tiedEmbeddings, equal.notes], [true, []])
  const other = await load(await changed('qwen2', head(1)))
  assert.equal(other.config.tiedEmbeddings, false)
  assert.match(other.notes[0], /both are stored and differ/)
  assert.equal(other.values['unembed.W_U'].length, other.values['embed.W_E'].length)
  const onlyHead = await changed('qwen2', (tensors) => {
    head(0)(tensors)
    delete tensors[embeddingName]
  })
  assert.deepEqual((await load(onlyHead)).values, equal.values)
})

test('loading stops when it is asked to', async () => {
  const signal = AbortSignal.abort()
  await assert.rejects(loadHuggingFaceModel(kernels, join(root, 'llama'), { signal }), {
    code: 'interrupted',
  })
})

test('a directory without config.json, or with one that is no JSON, says so', async () => {
  const empty = await mkdtemp(join(directory, 'empty-'))
  await fails(empty, 'missing', /config\.json/)
  await writeFile(join(empty, 'config.json'), '{')
  await fails(empty, 'format', /config\.json is not JSON/)
})
