import type { SaePrecision } from '../kernels/kernels.js'
import { denseFlopsPerToken } from './training-compute.js'

/** What is to be trained. */
export interface TrainingShape {
  /** D */
  d: number
  /** F */
  features: number
  /** A, active features of a token: k, or the L0 that is expected */
  active: number
  batchSize: number
  /** nested parts of a Matryoshka dictionary; default 1 */
  prefixes?: number
  /** number format in which encoding looks for active features */
  precision: SaePrecision
  /** whether a moving average of the parameters is kept */
  average?: boolean
  /** tokens and bytes of a number in the shuffle buffer */
  bufferTokens: number
  bufferBytes: 2 | 4
}

/** FLOP of one token of training. */
export interface TokenFlops {
  /** what the dense products of a step take */
  dense: number
  /**
   * what our step takes: encoding all pairs (2 D F); decoding, and the gradients of activations, decoder and encoder, of active pairs only (2 D A
   * each); Adam on every weight once a batch (12 operations each)
   */
  sparse: number
}

export function tokenFlops({ d, features, active, batchSize, prefixes = 1 }: TrainingShape): TokenFlops {
  const adam = (12 * 2 * d * features) / batchSize
  return {
    dense: denseFlopsPerToken(d, features),
    sparse: 2 * d * features + (6 + 2 * prefixes) * d * active + adam,
  }
}

/** Bytes of memory while an autoencoder trains. Gradients have none: they are formed feature by feature and used at once. */
export interface TrainingMemory {
  /** W_enc, W_dec and biases, f32 */
  parameters: number
  /** both moments of Adam, f32 */
  moments: number
  /** W_enc again, in the layout and number format of encoding */
  packed: number
  /** the moving average of the parameters, where one is kept */
  average: number
  /** activations that wait to be trained on */
  buffer: number
  /** batches, errors and codes of a step */
  batches: number
  /** all of these */
  total: number
  /** what a checkpoint needs besides, for a moment: a copy of parameters and moments */
  checkpoint: number
}

const packedBytes: Record<SaePrecision, number> = { fp32: 4, bf16: 2, int8: 1 }

/** Batches that are readable at a time, scaled, as the source gives them and as the encoder reads them; then errors. */
const batchCopies = 4

export function trainingMemory(shape: TrainingShape): TrainingMemory {
  const { d, features, active, batchSize, prefixes = 1, precision } = shape
  const parameters = 4 * (2 * d * features + features + d)
  const moments = 2 * parameters
  const packed = packedBytes[precision] * d * features
  const average = shape.average ? parameters : 0
  const buffer = shape.bufferTokens * d * shape.bufferBytes
  // a pair of the codes is an id and a value, once by token and once by feature
  const batches = 4 * batchSize * d * (batchCopies + prefixes) + 16 * batchSize * active
  const total = parameters + moments + packed + average + buffer + batches
  return {
    parameters,
    moments,
    packed,
    average,
    buffer,
    batches,
    total,
    checkpoint: parameters + moments + average,
  }
}

/** Bytes on disk. */
export interface TrainingDisk {
  /** stored activations, with three ids of 4 bytes for each */
  activations: number
  checkpoint: number
  /** the trained autoencoder, f32 */
  autoencoder: number
}

/** @param bytes of a stored number: 4 for f32, 2 for bf16 */
export function trainingDisk(shape: TrainingShape, tokens: number, bytes: 2 | 4): TrainingDisk {
  const { parameters, checkpoint } = trainingMemory(shape)
  return {
    activations: tokens * (shape.d * bytes + 12),
    checkpoint: checkpoint + 4 * shape.features,
    autoencoder: parameters + 4 * shape.features,
  }
}
