import type { StageContext } from '../progress/progress.js'
import { decoderNeighbours } from '../sae/decoder-neighbours.js'
import type { Sae } from '../sae/sae.js'
import { type Distribution, distributionOf } from './histogram.js'

/** How the directions of an autoencoder lie to one another. */
export interface DecoderReport {
  /** over features: the largest cosine of a decoder direction with another feature's; null with a single feature */
  maxCosine: Distribution | null
  /** over features: the cosine of a feature's encoder direction with its decoder direction; null for transcoders, whose two are of different spaces */
  alignment: Distribution | null
}

/** The same feature by feature. */
export interface DecoderGeometry {
  /** [F] */
  maxCosines: Float32Array | null
  /** [F] */
  alignments: Float32Array | null
}

const bins = 80

/**
 * The geometry of the weights: what takes no text. A direction of zeros has cosine 0 with all others.
 * @throws MonosemError interrupted
 */
export async function decoderGeometry(sae: Sae, context: StageContext): Promise<DecoderGeometry> {
  const { kernels, params, features } = sae
  const neighbours = features > 1 ? await decoderNeighbours(kernels, params.wDec, 1, context) : null
  const transcoder = sae.hookName !== sae.targetHookName || sae.d !== sae.dOut
  const alignments = transcoder
    ? null
    : rowCosines(await kernels.readF32(params.wEnc), await kernels.readF32(params.wDec), sae.d)
  return { maxCosines: neighbours?.cosines ?? null, alignments }
}

/** Both as distributions. */
export function decoderReport({ maxCosines, alignments }: DecoderGeometry): DecoderReport {
  const over = (cosines: Float32Array | null) => cosines && distributionOf(cosines, [-1, 1], bins)
  return { maxCosine: over(maxCosines), alignment: over(alignments) }
}

/** Cosine of the rows of two matrices [F, D], one by one; 0 where either is zero. */
function rowCosines(a: Float32Array, b: Float32Array, d: number): Float32Array {
  const cosines = new Float32Array(a.length / d)
  for (let row = 0; row < cosines.length; row++) {
    let [dot, squaresA, squaresB] = [0, 0, 0]
    for (let i = row * d; i < (row + 1) * d; i++) {
      dot += a[i] * b[i]
      squaresA += a[i] * a[i]
      squaresB += b[i] * b[i]
    }
    if (squaresA > 0 && squaresB > 0) cosines[row] = dot / Math.sqrt(squaresA * squaresB)
  }
  return cosines
}
