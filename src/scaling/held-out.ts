import { createActivationPass } from '../activations/activation-pass.js'
import type { ActivationStore } from '../activations/activation-store.js'
import { createRowLayout } from '../activations/row-layout.js'
import { createStoredSource } from '../activations/stored-source.js'
import type { TokenCorpus } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import { batchesOf, sampleWindows } from '../eval/sample-windows.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import { hookWidth, type Transformer } from '../model/transformer.js'
import { badRowsOf } from '../sae/bad-activations.js'
import {
  addToVarianceSums,
  columnMeans,
  createVarianceSums,
  totalVariance,
} from '../sae/explained-variance.js'

/** Activations that no autoencoder of a sweep was trained on, in memory: every one is measured on the same tokens. */
export interface HeldOut {
  /** [n, D] f32 */
  x: Tensor
  /** mean over the n tokens of ||x - mean x||^2 */
  variance: number
}

/** Windows of a model's context per forward pass. */
const modelBatch = 16

/**
 * Activations of validation text at a hook point, evenly spread over the split. Start-of-text tokens are left out.
 * @param tokens how many are wanted, about; fewer where the split has fewer
 * @throws MonosemError missing (no window of text), diverged (NaN or infinity)
 */
export async function heldOutFromText(
  kernels: Kernels,
  { model, corpus }: { model: Transformer; corpus: TokenCorpus },
  { hookName, tokens }: { hookName: string; tokens: number },
): Promise<HeldOut> {
  const { context } = model.config
  const split = corpus.validation
  const windows = sampleWindows(split, context, tokens)
  const layout = createRowLayout(split, context, corpus.tokenizer.startOfText, 0)
  const rows = windows.reduce((sum, window) => sum + layout.windowRows[window], 0)
  const x = kernels.zeros([rows, hookWidth(model.config, hookName)])
  const pass = createActivationPass(model, split, { hookNames: [hookName], layout, modelBatch })
  let filled = 0
  for (const group of batchesOf(windows, modelBatch)) {
    const positions = pass.run(group)
    const place = kernels.rows(x, filled, positions.length)
    pass.copyRows(positions, () => place)
    filled += positions.length
  }
  pass.free()
  return describe(kernels, x)
}

/**
 * The first activations of a store, which holds them in a random order of its text.
 * @throws MonosemError config (no such hook point), diverged (NaN or infinity), corrupt
 */
export async function heldOutFromStore(
  kernels: Kernels,
  store: ActivationStore,
  { hookName, tokens }: { hookName: string; tokens: number },
): Promise<HeldOut> {
  const rows = Math.min(tokens, store.info.rows)
  const source = createStoredSource(kernels, store, {
    ...{ hookName, seed: 0, bufferTokens: 2 * rows },
    dtype: 'f32',
  })
  const x = kernels.zeros([rows, source.d])
  for await (const batch of source.batches({ batchSize: rows, skip: 0 })) {
    kernels.copy(x, batch as Tensor)
    break
  }
  return describe(kernels, x)
}

async function describe(kernels: Kernels, x: Tensor): Promise<HeldOut> {
  const d = x.shape[1]
  const values = await kernels.readF32(x)
  const [bad] = badRowsOf(values, d)
  if (bad !== undefined)
    throw new MonosemError(
      'diverged',
      `scaling: expected finite held-out activations, got NaN or infinity in row ${bad}`,
      { hint: 'check the model that produces the activations' },
    )
  const sums = createVarianceSums(d)
  addToVarianceSums(sums, values, 0, columnMeans(values, d))
  return { x, variance: totalVariance(sums) / sums.count }
}
