import type { Sae } from '../sae/sae.js'

/**
 * The features whose decoder rows are most alike (cosine), for each of some features.
 * @param count how many
 */
export async function nearestFeatures(
  { kernels, params, dOut, features }: Sae,
  ids: readonly number[],
  count = 5,
): Promise<Map<number, number[]>> {
  const wDec = await kernels.readF32(params.wDec)
  const row = (id: number): Float32Array => wDec.subarray(id * dOut, (id + 1) * dOut)
  const dot = (a: Float32Array, b: Float32Array): number => {
    let sum = 0
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
    return sum
  }
  const norms = Float64Array.from({ length: features }, (_, id) => Math.sqrt(dot(row(id), row(id))) || 1)
  const nearest = new Map<number, number[]>()
  for (const id of ids) {
    const cosines = Float64Array.from(norms, (norm, other) => dot(row(id), row(other)) / norm)
    cosines[id] = Number.NEGATIVE_INFINITY
    const order = Array.from(cosines.keys()).sort((a, b) => cosines[b] - cosines[a])
    nearest.set(id, order.slice(0, count))
  }
  return nearest
}
