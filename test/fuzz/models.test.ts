import { readFileSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { createTokenizer, loadTokenizer } from '../../src/corpus/tokenizer.js'
import { openCheckpoint } from '../../src/formats/safetensors-index.js'
import { loadKernels } from '../../src/kernels/load.js'
import { loadHuggingFaceModel } from '../../src/model/huggingface/load.js'
import { readSae } from '../../src/sae/formats/read-sae.js'
import { readSaelens, writeSaelens } from '../../src/sae/formats/saelens.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { mutatedBytes } from './mutated-bytes.js'
import { mutatedJson } from './mutated-json.js'
import { readsOrRefuses } from './reads-or-refuses.js'

const kernels = await loadKernels({ implementation: 'reference' })
const lifetime = fileLifetime()
let directory: string
before(async () => {
  directory = await temporaryDirectory(lifetime)
})

const golden = (...path: string[]): string => join('test/golden', ...path)

/** A JSON document with its fields or its bytes changed. */
function changedJson(path: string): fc.Arbitrary<string> {
  const bytes = readFileSync(path)
  return fc.oneof(
    { weight: 4, arbitrary: mutatedJson(JSON.parse(bytes.toString())) },
    mutatedBytes(bytes).map((changed) => changed.toString()),
  )
}

/** Reads a copy of a golden directory in which one file has other bytes. */
function withFile(
  name: string,
  file: string,
  read: (directory: string) => Promise<unknown>,
): (content: string | Uint8Array) => Promise<void> {
  const copy = join(directory, name)
  let copied: Promise<void> | undefined
  return async (content) => {
    copied ??= cp(golden(name), copy, { recursive: true })
    await copied
    await writeFile(join(copy, file), content)
    await read(copy)
  }
}

async function loadModel(path: string): Promise<void> {
  const { params } = await loadHuggingFaceModel(kernels, path)
  for (const tensor of Object.values(params)) kernels.free(tensor)
}

const families = [
  'gpt2-f16-no-prefix',
  'gpt-neox-partial',
  'llama3-biases-tied',
  'gemma2-small-caps',
  'qwen3',
  'mistral',
]

for (const family of families)
  test(`config.json of ${family}`, () => {
    const name = join('hf', family)
    return readsOrRefuses(changedJson(golden(name, 'config.json')), withFile(name, 'config.json', loadModel))
  })

test('the index of a checkpoint in shards', () => {
  const name = join('hf', 'llama-bf16-shards')
  const file = 'model.safetensors.index.json'
  const read = async (path: string) => {
    const checkpoint = await openCheckpoint(path)
    for (const tensor of checkpoint.entries.keys()) await checkpoint.read(tensor)
    await checkpoint.close()
  }
  return readsOrRefuses(changedJson(golden(name, file)), withFile(name, file, read))
})

test('the index of an autoencoder in shards', async () => {
  const { config, arrays } = await readSaelens(golden('sae-formats', 'saelens', 'gated'))
  const name = join(directory, 'shards')
  await mkdir(name)
  await writeSaelens(name, { config, arrays, shardBytes: 1000 })
  const file = join(name, 'sae_weights.safetensors.index.json')
  await readsOrRefuses(changedJson(file), async (content) => {
    await writeFile(file, content)
    await readSae(name)
  })
})

async function useTokenizer(json: string): Promise<void> {
  const tokenizer = createTokenizer(json)
  tokenizer.decode(tokenizer.encode('A few words, 123 and ünïcödé.\n'))
}

test('tokenizer.json', async () => {
  await readsOrRefuses(changedJson(golden('tokenizer', 'tokenizer.json')), useTokenizer)
  await readsOrRefuses(changedJson(golden('hf', 'llama', 'tokenizer.json')), useTokenizer)
  for (const name of ['gemma2', 'llama3', 'unigram']) {
    const { tokenizer } = JSON.parse(readFileSync(golden('hf-tokenizers', `${name}.json`), 'utf8'))
    await readsOrRefuses(mutatedJson(tokenizer), useTokenizer)
  }
})

test('what stands beside a tokenizer', async () => {
  const name = join('hf', 'llama')
  const load = (path: string) => loadTokenizer(join(path, 'tokenizer.json'))
  for (const file of ['config.json', 'generation_config.json'])
    await readsOrRefuses(changedJson(golden(name, file)), withFile(name, file, load))
})

const saes = {
  'saelens/gated': 'cfg.json',
  'saelens/topk-rescaled': 'cfg.json',
  'saelens/standard-constant-norm': 'cfg.json',
  sparsify: 'cfg.json',
  'dictionary-learning/batch-topk': 'config.json',
}

for (const [layout, config] of Object.entries(saes))
  test(`the configuration of an autoencoder, ${layout}`, () => {
    const name = join('sae-formats', layout)
    return readsOrRefuses(changedJson(golden(name, config)), withFile(name, config, readSae))
  })
