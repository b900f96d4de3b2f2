import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { decoderPartners } from '../sae/decoder-neighbours.js'
import type { Sae } from '../sae/sae.js'

/** The nearest feature of another dictionary, by cosine of decoder rows. */
export interface NearestRows {
  /** [F] id in the other dictionary; -1 where either has no feature that counts */
  ids: Int32Array
  /** [F] NaN where there is none */
  cosines: Float64Array
}

/** A dictionary's decoder and which of its features count. */
export interface Directions {
  sae: Sae
  /** [F] 1 where the feature counts */
  counts: Uint8Array
}

/** For every feature of one dictionary that counts, the nearest of those of another that do. */
export async function nearestRows(
  from: Directions,
  to: Directions,
  context: StageContext,
): Promise<NearestRows> {
  return nearest(from, to, context, (rows) => rows)
}

/**
 * The cosines that chance gives: with the nearest after the dimensions of the other dictionary's rows were permuted, all in the same way. The rows
 * keep their length, their entries and their angles with one another.
 */
export async function nearestByChance(
  from: Directions,
  to: Directions,
  seed: number,
  context: StageContext,
): Promise<NearestRows> {
  const d = to.sae.dOut
  const order = Random.named(seed, 'compare.permuted-dimensions').permutation(d)
  return nearest(from, to, context, (rows) => {
    const permuted = new Float32Array(rows.length)
    for (let i = 0; i < rows.length; i++) permuted[i] = rows[i - (i % d) + order[i % d]]
    return permuted
  })
}

async function nearest(
  from: Directions,
  to: Directions,
  context: StageContext,
  change: (rows: Float32Array) => Float32Array,
): Promise<NearestRows> {
  const { kernels, features } = from.sae
  const found: NearestRows = {
    ids: new Int32Array(features).fill(-1),
    cosines: new Float64Array(features).fill(Number.NaN),
  }
  const [own, others] = [idsOf(from.counts), idsOf(to.counts)]
  if (own.length === 0 || others.length === 0) return found
  const ownRows = gathered(from.sae, own)
  const otherRows = gathered(to.sae, others)
  kernels.write(otherRows, change(await kernels.readF32(otherRows)))
  try {
    const { rows, cosines } = await decoderPartners(kernels, ownRows, otherRows, 1, context)
    own.forEach((feature, i) => {
      found.ids[feature] = others[rows[i]]
      found.cosines[feature] = cosines[i]
    })
  } finally {
    kernels.free(ownRows)
    kernels.free(otherRows)
  }
  return found
}

/** Rows of the decoders of several dictionaries, those that count, one under the other. The caller frees them. */
export function stackedRows(kernels: Kernels, dictionaries: readonly Directions[]): Tensor {
  const parts = dictionaries.map(({ sae, counts }) => ({ sae, ids: idsOf(counts) }))
  const total = parts.reduce((sum, { ids }) => sum + ids.length, 0)
  const stacked = kernels.zeros([total, dictionaries[0].sae.dOut])
  let at = 0
  for (const { sae, ids } of parts) {
    if (ids.length === 0) continue
    const rows = gathered(sae, ids)
    kernels.copy(kernels.rows(stacked, at, ids.length), rows)
    kernels.free(rows)
    at += ids.length
  }
  return stacked
}

function gathered({ kernels, params, dOut }: Sae, ids: Int32Array): Tensor {
  const wanted = kernels.tensor(ids, [ids.length])
  const rows = kernels.zeros([ids.length, dOut])
  kernels.gatherRows(rows, params.wDec, wanted)
  kernels.free(wanted)
  return rows
}

/** Ids of the features that count, ascending. */
export const idsOf = (counts: Uint8Array): Int32Array =>
  Int32Array.from(counts.keys()).filter((id) => counts[id] === 1)

/** Cosine of two decoder rows, in double precision; 0 where one is all zeros. */
export async function cosineBetween(from: Sae, to: Sae): Promise<(row: number, other: number) => number> {
  const d = from.dOut
  const [a, b] = await Promise.all([
    from.kernels.readF32(from.params.wDec),
    to.kernels.readF32(to.params.wDec),
  ])
  const [normsA, normsB] = [norms(a, d), norms(b, d)]
  return (row, other) => {
    const size = normsA[row] * normsB[other]
    let sum = 0
    for (let j = 0; j < d; j++) sum += a[row * d + j] * b[other * d + j]
    return size > 0 ? sum / size : 0
  }
}

const norms = (rows: Float32Array, d: number): Float64Array =>
  Float64Array.from({ length: rows.length / d }, (_, i) => {
    let sum = 0
    for (let j = i * d; j < (i + 1) * d; j++) sum += rows[j] ** 2
    return Math.sqrt(sum)
  })
