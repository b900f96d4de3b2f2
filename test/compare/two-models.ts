import type { DictionaryOnModel } from '../../src/compare/universality.js'
import type { TokenSplit } from '../../src/corpus/corpus.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { createTransformer, type Transformer, type TransformerOptions } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import { randomArrays, saeOf } from '../eval/tiny-sae.js'

export const hookName = 'blocks.0.mlp.hook_post'
export const sizes = {
  ...{ layers: 1, dModel: 16, heads: 2, dMlp: 40, context: 8, vocabularySize: 3000 },
  ...{ learnedPositions: false, rotary: { dimensions: 8, base: 100 } },
} satisfies TransformerOptions

/** Documents of 40 tokens drawn at random: what one model makes of them says nothing about what another does. */
export function randomSplit(tokens: number): TokenSplit {
  const random = Random.named(1, 'random split')
  const ids = Uint16Array.from({ length: tokens }, (_, i) =>
    i % 40 === 0 ? 0 : 1 + random.int(sizes.vocabularySize - 1),
  )
  const documentStarts = Int32Array.from({ length: Math.ceil(tokens / 40) }, (_, i) => 40 * i)
  return {
    ...{ name: 'validation', tokens: ids, bytes: tokens },
    ...{ documentStarts, documentIds: documentStarts.map((_, i) => i) },
  }
}

/** A random model with an autoencoder of random features, some of which fire seldom. */
export function randomDictionary(kernels: Kernels, seed: number, features = 48): DictionaryOnModel {
  const model = createTransformer(kernels, sizes, seed)
  // Activations of an untrained model are small.
  for (const name of ['embed.W_E', 'blocks.0.mlp.W_in']) kernels.scaleInPlace(model.params[name], 20)
  const arrays = randomArrays(features, sizes.dMlp, seed)
  arrays.bDec.fill(0)
  return { model, sae: saeOf(kernels, arrays, sizes.dMlp, hookName) }
}

/**
 * The same model with its neurons in another order, and the same dictionary with its features in another order.
 * @param neurons neuron i of the result is neuron `neurons[i]`; likewise `features`
 */
export async function permuted(
  kernels: Kernels,
  { model, sae }: DictionaryOnModel,
  neurons: Int32Array,
  features: Int32Array,
): Promise<DictionaryOnModel> {
  const other: Transformer = createTransformer(kernels, sizes, 99)
  for (const [name, tensor] of Object.entries(model.params)) kernels.copy(other.params[name], tensor)
  const d = sizes.dMlp
  for (const [name, axis] of [
    ['W_in', 'columns'],
    ['b_in', 'columns'],
    ['W_out', 'rows'],
  ] as const) {
    const tensor = other.params[`blocks.0.mlp.${name}`]
    const values = await kernels.readF32(tensor)
    kernels.write(tensor, axis === 'rows' ? rowsOf(values, neurons) : columnsOf(values, neurons))
  }
  const [wEnc, bEnc, wDec, bDec] = await Promise.all(
    [sae.params.wEnc, sae.params.bEnc, sae.params.wDec, sae.params.bDec].map((t) => kernels.readF32(t)),
  )
  const matrix = (values: Float32Array) => columnsOf(rowsOf(values, features), neurons)
  const arrays = {
    ...{ wEnc: matrix(wEnc), wDec: matrix(wDec) },
    ...{ bEnc: rowsOf(bEnc, features), bDec: columnsOf(bDec, neurons) },
  }
  return { model: other, sae: saeOf(kernels, arrays, d, hookName) }
}

function rowsOf(values: Float32Array, order: Int32Array): Float32Array {
  const width = values.length / order.length
  return values.map((_, i) => values[order[Math.floor(i / width)] * width + (i % width)])
}

function columnsOf(values: Float32Array, order: Int32Array): Float32Array {
  const width = order.length
  return values.map((_, i) => values[i - (i % width) + order[i % width]])
}
