import { foldedUnembedding, outputProjection } from '../features/logit-weights.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { Transformer } from '../model/transformer.js'
import { type Columns, widthOf } from './columns.js'

/**
 * What columns add to the residual stream: the logit weights of column i are r_i U. As [n, V] they would be large; so they are kept in two factors.
 */
export interface LogitDirections {
  /** r [n, dModel] */
  directions: Tensor
  /** U [dModel, V]: the unembedding with the final norm folded in, each row's mean over the vocabulary taken off (`foldedUnembedding`) */
  unembedding: Tensor
}

/**
 * Directions and unembedding of some columns: d_i W_out for features and W_out's rows for neurons of an MLP, d_i and single dimensions where the
 * hook point is the residual stream.
 * @returns null where the hook point does not write to the residual stream, so that there are no logit weights
 */
export async function logitDirections(columns: Columns): Promise<LogitDirections | null> {
  const { model } = columns
  const { kernels, config, params } = model
  const projection = outputProjection(config, targetOf(columns))
  if (projection === null) return null
  const unembedding = kernels.tensor(await foldedUnembedding(model, projection.postNorm), [
    config.dModel,
    config.vocabularySize,
  ])
  const matrix = projection.matrix === null ? null : params[projection.matrix]
  return { directions: directionsOf(columns, matrix, model), unembedding }
}

/** The hook point that the columns write to. */
const targetOf = (columns: Columns): string =>
  columns.kind === 'features' ? columns.sae.targetHookName : columns.hookName

/** @param matrix [width, dModel] through which the hook point's activations reach the residual stream; null: they are added to it as they are */
function directionsOf(columns: Columns, matrix: Tensor | null, { kernels, config }: Transformer): Tensor {
  const directions = kernels.zeros([widthOf(columns), config.dModel])
  if (columns.kind === 'features') {
    const { wDec } = columns.sae.params
    if (matrix === null) kernels.copy(directions, wDec)
    else kernels.linearForward(directions, wDec, matrix, null)
  } else if (matrix === null) kernels.write(directions, identity(config.dModel))
  else kernels.copy(directions, matrix)
  return directions
}

function identity(n: number): Float32Array {
  const values = new Float32Array(n * n)
  for (let i = 0; i < n; i++) values[i * n + i] = 1
  return values
}

export function freeLogitDirections(kernels: Kernels, { directions, unembedding }: LogitDirections): void {
  kernels.free(directions)
  kernels.free(unembedding)
}
