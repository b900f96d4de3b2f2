import { singleRank } from '../distributed/communicator.js'
import { inOrder } from '../distributed/in-order.js'
import type { Sae } from '../sae/sae.js'

/** Features that one rank looks at at a time. */
const blockFeatures = 64

/**
 * The features whose decoder rows are most alike (cosine), for each of some features.
 * @param count how many
 * @param ranks share the features, and all get all
 */
export async function nearestFeatures(
  { kernels, params, dOut, features }: Sae,
  ids: readonly number[],
  count = 5,
  ranks = singleRank,
): Promise<Map<number, number[]>> {
  const wDec = await kernels.readF32(params.wDec)
  const row = (id: number): Float32Array => wDec.subarray(id * dOut, (id + 1) * dOut)
  const dot = (a: Float32Array, b: Float32Array): number => {
    let sum = 0
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
    return sum
  }
  const norms = Float64Array.from({ length: features }, (_, id) => Math.sqrt(dot(row(id), row(id))) || 1)
  const nearestTo = (id: number): number[] => {
    const cosines = Float64Array.from(norms, (norm, other) => dot(row(id), row(other)) / norm)
    cosines[id] = Number.NEGATIVE_INFINITY
    const order = Array.from(cosines.keys()).sort((a, b) => cosines[b] - cosines[a])
    return order.slice(0, count)
  }
  const block = async (i: number): Promise<[number, number[]][]> =>
    ids.slice(i * blockFeatures, (i + 1) * blockFeatures).map((id) => [id, nearestTo(id)])
  const nearest = new Map<number, number[]>()
  for await (const found of inOrder(ranks, Math.ceil(ids.length / blockFeatures), block, 'every'))
    for (const [id, others] of found) nearest.set(id, others)
  return nearest
}
