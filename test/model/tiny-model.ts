import type { WindowBatch } from '../../src/corpus/windows.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import {
  createTransformer,
  type Transformer,
  type TransformerConfig,
  type TransformerOptions,
  transformerConfig,
} from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'

const sizes = {
  layers: 2,
  dModel: 8,
  heads: 2,
  dMlp: 12,
  context: 6,
  vocabularySize: 11,
} satisfies TransformerOptions

/** Our own kind, which is GPT-2's. */
export const TINY: TransformerConfig = transformerConfig(sizes)

const rotating = {
  ...sizes,
  learnedPositions: false,
  rotary: { dimensions: 4, base: 100 },
  // Norms of small vectors are steep; a large epsilon keeps finite differences and rounded weights meaningful.
  normEpsilon: 0.1,
} satisfies TransformerOptions

const llama = {
  ...rotating,
  norm: 'rms',
  activation: 'silu',
  gatedMlp: true,
  queryKeyValueBias: false,
  outputBias: false,
  mlpBias: false,
  keyValueHeads: 1,
} satisfies TransformerOptions

/** A small configuration of each family, with every choice that it can make. */
export const FAMILIES: Record<string, TransformerConfig> = {
  gpt2: transformerConfig({ ...sizes, tiedEmbeddings: true }),
  'gpt_neox, parallel': transformerConfig({
    ...rotating,
    rotary: { dimensions: 2, base: 100 },
    activation: 'gelu',
    parallelResidual: true,
  }),
  'gpt_neox, sequential': transformerConfig({ ...rotating, activation: 'gelu' }),
  llama: transformerConfig({
    ...llama,
    heads: 4,
    headWidth: 4,
    keyValueHeads: 2,
    rotary: {
      dimensions: 4,
      base: 100,
      scaling: {
        kind: 'llama3',
        factor: 4,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContext: 16,
      },
    },
  }),
  'llama, biases': transformerConfig({
    ...llama,
    queryKeyValueBias: true,
    outputBias: true,
    mlpBias: true,
    rotary: { dimensions: 4, base: 100, scaling: { kind: 'linear', factor: 2 } },
  }),
  mistral: transformerConfig({ ...llama, windows: [3, 3] }),
  qwen2: transformerConfig({ ...llama, queryKeyValueBias: true, tiedEmbeddings: true }),
  qwen3: transformerConfig({
    ...llama,
    headWidth: 6,
    rotary: { dimensions: 6, base: 100 },
    queryKeyNorms: true,
  }),
  gemma2: transformerConfig({
    ...llama,
    headWidth: 6,
    rotary: { dimensions: 6, base: 100 },
    activation: 'gelu_tanh',
    postNorms: true,
    attentionScale: 0.3,
    attentionSoftCap: 2,
    logitSoftCap: 3,
    windows: [2, null],
    embeddingScale: Math.sqrt(8),
    tiedEmbeddings: true,
  }),
}

/** A small model whose parameters are large enough for its numbers to be far from symmetric. */
export async function tinyModel(kernels: Kernels, config: TransformerOptions = TINY): Promise<Transformer> {
  const model = createTransformer(kernels, config, 1)
  for (const [name, p] of Object.entries(model.params)) {
    const data = await kernels.readF32(p)
    const random = Random.named(2, name)
    kernels.write(
      p,
      data.map((value) => value * 10 + 0.3 * random.normal()),
    )
  }
  return model
}

/** Two windows of T tokens; in the first, a second document begins at position 3. */
export function tinyBatch({ context: T, vocabularySize: V }: TransformerConfig = TINY): WindowBatch {
  const random = Random.named(3, 'batch')
  const N = 2 * T
  const batch = {
    tokens: Int32Array.from({ length: N }, () => random.int(V)),
    targets: Int32Array.from({ length: N }, () => random.int(V)),
    starts: new Int32Array(N),
  }
  batch.starts.fill(3, 3, T)
  batch.targets[2] = -1
  return batch
}

/** Targets that count. */
export const counted = ({ targets }: WindowBatch): number => targets.filter((t) => t >= 0).length
