import type { Codes, Kernels, SaePairs } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'
import { type ParityCase, readAll, seedOf } from './parity-case.js'
import { RandomTensors } from './random-tensors.js'

/** Random codes; ids near 0 are the most frequent. */
function randomCodes(random: Random, n: number, columns: number, density: number): Codes {
  const rows = Array.from({ length: n }, () =>
    Array.from({ length: columns }, (_, id) => id).filter(
      (id) => random.uniform() < density * (1 - id / columns) ** 2,
    ),
  )
  const offsets = [0]
  for (const row of rows) offsets.push((offsets.at(-1) as number) + row.length)
  const ids = rows.flat()
  return {
    rowOffsets: Int32Array.from(offsets),
    featureIds: Int32Array.from(ids),
    // eighths: sums that decide what is kept have no rounding errors
    values: Float32Array.from(ids, () => (1 + Math.floor(31 * random.uniform())) / 8),
  }
}

/** N, F, D */
const PRODUCTS = [
  [1, 1, 1],
  [37, 5, 33],
  [130, 700, 64],
  [5, 257, 512],
] as const

function productsCase([n, f, d]: readonly [number, number, number]): ParityCase {
  const name = `saeAddProducts n:${n} f:${f} d:${d}`
  return {
    name,
    tolerance: 1e-5,
    async run(k) {
      const tensors = new RandomTensors(k, seedOf(name))
      const out = tensors.signed([f, d])
      const codes = randomCodes(new Random(seedOf(name)), n, f, 0.3)
      k.saeAddProducts(out, codes, tensors.signed([n, d], 2))
      return readAll(k, { out })
    },
  }
}

/** Features, columns (0: the features themselves), capacity. */
const PAIRS = [
  [1, 1, 1],
  [300, 0, 300],
  [5, 90, 90],
  [300, 0, 7],
  [40, 90, 30],
  [40, 90, 1],
] as const

function pairsCase(
  [f, others, capacity]: readonly [number, number, number],
  weighBy: SaePairs['weighBy'],
): ParityCase {
  const columns = others || f
  const name = `saeAddPairs f:${f} columns:${others} capacity:${capacity} by ${weighBy}`
  return {
    name,
    tolerance: 1e-5,
    async run(k) {
      const random = new Random(seedOf(name))
      const pairs = emptyPairs(k, f, columns, capacity, weighBy)
      for (const n of [1, 60, 33]) {
        const codes = randomCodes(random, n, f, 0.2)
        k.saeAddPairs(pairs, codes, others ? randomCodes(random, n, others, 0.1) : codes)
      }
      const { size, count, sum, missed, ids, before } = pairs
      return readAll(k, { size, count, sum, missed, ...(ids && { ids }), ...(before && { before }) })
    },
  }
}

export function emptyPairs(
  k: Kernels,
  features: number,
  columns: number,
  capacity: number,
  weighBy: SaePairs['weighBy'] = 'count',
): SaePairs {
  const exact = capacity === columns
  return {
    weighBy,
    columns,
    ids: exact ? null : k.zeros([features, capacity], 'i32'),
    size: k.tensor(new Int32Array(features).fill(exact ? capacity : 0), [features]),
    count: k.zeros([features, capacity], 'i32'),
    sum: k.zeros([features, capacity]),
    before: exact ? null : k.zeros([features, capacity]),
    missed: k.zeros([features]),
  }
}

/** Sums over what autoencoders do on text. */
export function saeStatisticsCases(): ParityCase[] {
  const pairs = PAIRS.flatMap((shape) => (['count', 'sum'] as const).map((by) => pairsCase(shape, by)))
  return [...PRODUCTS.map(productsCase), ...pairs]
}
