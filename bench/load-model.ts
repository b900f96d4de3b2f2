import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type SafeTensor, writeSafetensors } from '../src/formats/safetensors.js'
import { readHuggingFaceConfig } from '../src/model/huggingface/config.js'
import { weightTable } from '../src/model/huggingface/weight-table.js'
import { parameterSpecs } from '../src/model/transformer.js'
import { machine } from './machine.js'

/** A Llama of GPT-2 small's size: its matrices are stored the other way round, which takes most memory. */
const models = {
  gpt2: { model_type: 'gpt2' },
  llama: {
    model_type: 'llama',
    vocab_size: 50257,
    hidden_size: 768,
    intermediate_size: 2048,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_key_value_heads: 4,
    max_position_embeddings: 1024,
  },
}

const MiB = 2 ** 20

/** What bench/load-model-once.ts prints. Bytes */
export interface LoadedOnce {
  weights: number
  /** resident before loading, and the most it ever was */
  before: number
  peak: number
  seconds: number
}

/** Memory of loading Hugging Face checkpoints, each in a process of its own, beside the size of the weights. Linux only: peaks are VmHWM. */
export async function benchLoadModel(): Promise<Record<string, LoadedOnce>> {
  console.log(`loading checkpoints; ${machine()}`)
  console.log('checkpoint         kept as   weights       peak   above the start, in weights   seconds')
  const results: Record<string, LoadedOnce> = {}
  const directory = await mkdtemp(join(tmpdir(), 'monosem-bench-load-'))
  try {
    for (const [name, config] of Object.entries(models))
      for (const stored of ['F32', 'BF16'] as const) {
        await writeCheckpoint(directory, config, stored)
        for (const kept of ['f32', 'bf16']) {
          const result = await loadOnce(directory, kept)
          results[`${name} ${stored} ${kept}`] = result
          console.log(row(`${name} ${stored}`, kept, result))
        }
      }
  } finally {
    await rm(directory, { recursive: true })
  }
  return results
}

async function loadOnce(directory: string, kept: string): Promise<LoadedOnce> {
  const program = fileURLToPath(new URL('load-model-once.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program, directory, kept])
  return JSON.parse(stdout)
}

/** The weights of a model in one file, all of them the same number. */
async function writeCheckpoint(
  directory: string,
  json: Record<string, unknown>,
  stored: 'F32' | 'BF16',
): Promise<void> {
  const config = readHuggingFaceConfig(json, 'bench')
  const { sources } = weightTable(config)
  const tensors: Record<string, SafeTensor> = {}
  for (const name of Object.keys(parameterSpecs(config))) {
    const { tensors: names, shape } = sources[name]
    const count = shape.reduce((a, b) => a * b, 1)
    tensors[names[0]] =
      stored === 'F32'
        ? { shape: [...shape], data: new Float32Array(count).fill(0.02) }
        : { shape: [...shape], data: new Uint16Array(count).fill(0x3ca4), dtype: 'BF16' }
  }
  await writeFile(join(directory, 'config.json'), JSON.stringify(json))
  await writeSafetensors(join(directory, 'model.safetensors'), tensors)
}

function row(name: string, kept: string, { weights, before, peak, seconds }: LoadedOnce): string {
  const mebibytes = (bytes: number) => `${(bytes / MiB).toFixed(0)} MiB`.padStart(9)
  const ratio = ((peak - before) / weights).toFixed(2)
  return `${name.padEnd(18)} ${kept.padEnd(7)} ${mebibytes(weights)}  ${mebibytes(peak)}   ${ratio.padStart(27)}   ${seconds.toFixed(1).padStart(7)}`
}
