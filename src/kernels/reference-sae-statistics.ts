import type { Codes, SaePairs, Tensor } from './kernels.js'
import { f32, i32 } from './reference-tensor.js'
import { SAE_COMPARISON } from './sae-kernels.js'

/** out [F, D] += codes^T x, x [N, D] */
export function saeAddProducts(out: Tensor, codes: Codes, x: Tensor): void {
  const [n, d] = x.shape
  const sums = f32(out)
  const inputs = f32(x)
  for (let row = 0; row < n; row++)
    for (let e = codes.rowOffsets[row]; e < codes.rowOffsets[row + 1]; e++)
      for (let c = 0; c < d; c++) sums[codes.featureIds[e] * d + c] += codes.values[e] * inputs[row * d + c]
}

/** sums [N, 5], shift [D], y, xHat [N, D], center [D]; in double precision */
export function saeCompare(sums: Tensor, shift: Tensor, y: Tensor, xHat: Tensor, center: Tensor): void {
  const [count, d] = y.shape
  const [wanted, found, middle] = [f32(y), f32(xHat), f32(center)]
  const shifts = new Float64Array(d)
  for (let n = 0; n < count; n++) {
    let [squaredError, dot, target, reconstruction, deviation] = [0, 0, 0, 0, 0]
    for (let c = 0; c < d; c++) {
      const [a, b] = [wanted[n * d + c], found[n * d + c]]
      squaredError += (a - b) ** 2
      dot += a * b
      target += a * a
      reconstruction += b * b
      deviation += (a - middle[c]) ** 2
      shifts[c] += a - middle[c]
    }
    f32(sums).set([squaredError, dot, target, reconstruction, deviation], n * SAE_COMPARISON)
  }
  f32(shift).set(shifts)
}

/** A column that a feature keeps or could keep. */
interface Pair {
  column: number
  count: number
  sum: number
  before: number
}

/** pairs += codes^T columns; see `SaePairs` for what a full table keeps. */
export function saeAddPairs(pairs: SaePairs, codes: Codes, columns: Codes): void {
  addedPairs(codes, columns, pairs.sum.shape[0]).forEach((added, feature) => {
    if (pairs.ids === null) addToAll(pairs, feature, added)
    else addToKept(pairs, pairs.ids, pairs.before as Tensor, feature, added)
  })
}

/** For each feature the columns that come with it, in the order in which they come: column -> [count, sum]. */
function addedPairs(codes: Codes, columns: Codes, features: number): Map<number, [number, number]>[] {
  const added = Array.from({ length: features }, () => new Map<number, [number, number]>())
  for (let row = 0; row + 1 < codes.rowOffsets.length; row++)
    for (let e = codes.rowOffsets[row]; e < codes.rowOffsets[row + 1]; e++)
      for (let c = columns.rowOffsets[row]; c < columns.rowOffsets[row + 1]; c++) {
        const ofFeature = added[codes.featureIds[e]]
        const [count, sum] = ofFeature.get(columns.featureIds[c]) ?? [0, 0]
        ofFeature.set(columns.featureIds[c], [count + 1, sum + codes.values[e] * columns.values[c]])
      }
  return added
}

function addToAll(pairs: SaePairs, feature: number, added: Map<number, [number, number]>): void {
  for (const [column, [count, sum]] of added) {
    i32(pairs.count)[feature * pairs.columns + column] += count
    f32(pairs.sum)[feature * pairs.columns + column] += sum
  }
}

function addToKept(
  pairs: SaePairs,
  ids: Tensor,
  before: Tensor,
  feature: number,
  added: Map<number, [number, number]>,
): void {
  if (added.size === 0) return
  const capacity = pairs.sum.shape[1]
  const base = feature * capacity
  const missed = f32(pairs.missed)
  const all = new Map<number, Pair>()
  for (let place = base; place < base + i32(pairs.size)[feature]; place++) {
    const [count, sum] = [i32(pairs.count)[place], f32(pairs.sum)[place]]
    all.set(i32(ids)[place], { column: i32(ids)[place], count, sum, before: f32(before)[place] })
  }
  for (const [column, [count, sum]] of added) {
    const pair = all.get(column) ?? { column, count: 0, sum: 0, before: missed[feature] }
    all.set(column, { ...pair, count: pair.count + count, sum: Math.fround(pair.sum + sum) })
  }
  const weight = (pair: Pair): number => pair.before + pair[pairs.weighBy]
  const known = [...all.values()]
  // sorting is stable: among equals those known for longest stay
  const kept = new Set([...known].sort((a, b) => weight(b) - weight(a)).slice(0, capacity))
  const places = known.filter((pair) => kept.has(pair))
  for (const pair of known) if (!kept.has(pair)) missed[feature] = Math.max(missed[feature], weight(pair))
  places.forEach((pair, i) => {
    i32(ids)[base + i] = pair.column
    i32(pairs.count)[base + i] = pair.count
    f32(pairs.sum)[base + i] = pair.sum
    f32(before)[base + i] = pair.before
  })
  i32(pairs.size)[feature] = places.length
}
