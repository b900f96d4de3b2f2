import type { WindowBatch } from '../../src/corpus/windows.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { createTransformer, type Transformer, type TransformerConfig } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'

export const TINY: TransformerConfig = {
  layers: 2,
  dModel: 8,
  heads: 2,
  dMlp: 12,
  context: 6,
  vocabularySize: 11,
}

/** A small model whose parameters are large enough for its numbers to be far from symmetric. */
export async function tinyModel(kernels: Kernels, config = TINY): Promise<Transformer> {
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
