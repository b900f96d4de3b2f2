import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../src/random/random.js'
import { type FeatureColumns, selectFeatures } from '../../../src/server/list/select-features.js'
import { featureQuerySchema, featureSorts, type ParsedFeatureQuery } from '../../../src/server/protocol.js'

const features = 700
const random = Random.named(7, 'test.select-features')

/** Values with ties, zeros of both signs, ones that differ in double precision only, and missing ones. */
function values(missing: number): Float64Array {
  return Float64Array.from({ length: features }, (_, i) => {
    if (i % 10 < missing) return Number.NaN
    if (i % 10 === 9) return 0.3 + (i % 7) * 1e-12
    if (i % 10 === 8) return i % 20 === 8 ? -0 : 0
    return Math.round((random.uniform() - 0.3) * 40) / 40
  })
}

const pick = (n: number, offset = 0) =>
  Int32Array.from({ length: features }, () => Math.floor(random.uniform() * n) + offset)

const order = pick(1).map((_, i) => (i % 5 === 0 ? -1 : (i * 331) % features))
const columns: FeatureColumns = {
  ...{ density: values(0), max: values(0), mean: values(2), score: values(4) },
  ...{ singleToken: Uint8Array.from(pick(2)), labelled: Uint8Array.from(pick(2)) },
  ...{ cluster: pick(5, -1), order },
}

/** The same, slow and obvious. */
function slowly(query: ParsedFeatureQuery, ranking: number[] | null): number[] {
  const { sort } = query
  const ids = ranking ?? Array.from({ length: features }, (_, i) => i)
  const passing = ids.filter((i) => {
    const { density, max, score, singleToken, labelled, cluster } = columns
    if (query.minDensity !== undefined && density[i] < query.minDensity) return false
    if (query.maxDensity !== undefined && density[i] > query.maxDensity) return false
    if (query.minMax !== undefined && max[i] < query.minMax) return false
    if (query.maxMax !== undefined && max[i] > query.maxMax) return false
    const scored = !Number.isNaN(score[i])
    if (query.minScore !== undefined && (!scored || score[i] < query.minScore)) return false
    if (query.maxScore !== undefined && (!scored || score[i] > query.maxScore)) return false
    if (query.singleToken !== undefined && query.singleToken !== (singleToken[i] === 1)) return false
    if (query.labelled !== undefined && query.labelled !== (labelled[i] === 1)) return false
    return query.cluster === undefined || query.cluster === cluster[i]
  })
  if (ranking && !sort) return passing
  const sortValue = (i: number): number | null => {
    if (sort === 'id') return i
    if (sort === 'map') return columns.order[i] < 0 ? null : columns.order[i]
    const value = columns[(sort ?? 'density') as 'density'][i]
    return Number.isNaN(value) ? null : value
  }
  const rising = (query.order ?? (sort === 'id' || sort === 'map' ? 'asc' : 'desc')) === 'asc'
  return passing.sort((a, b) => {
    const [x, y] = [sortValue(a), sortValue(b)]
    if (x === null || y === null) return Number(x === null) - Number(y === null) || a - b
    return (rising ? x - y : y - x) || a - b
  })
}

const filters: Record<string, string>[] = [
  {},
  { minDensity: '0.1', maxDensity: '0.45' },
  { minMax: '0', maxMax: '0.5' },
  { minScore: '-0.1' },
  { maxScore: '0.2' },
  { singleToken: 'true', labelled: 'false' },
  { singleToken: 'false', labelled: 'true', cluster: '2', minDensity: '0.05' },
  { minDensity: '5' },
]

test('every sort, in both directions and with every filter, gives what sorting and filtering slowly gives', () => {
  const ranking = Array.from(pick(features)).filter((id, i, all) => all.indexOf(id) === i)
  for (const sort of [undefined, ...featureSorts])
    for (const order of [undefined, 'asc', 'desc'])
      for (const filter of filters)
        for (const found of [null, ranking]) {
          const query = featureQuerySchema.parse({ ...filter, sort, order })
          if (sort === 'random') continue
          assert.deepEqual(
            Array.from(selectFeatures(columns, query, found)),
            slowly(query, found && [...found]),
            JSON.stringify({ ...query, ranked: found !== null }),
          )
        }
})

test('a shuffle holds every feature once, is the same for the same seed and another for another', () => {
  const shuffle = (seed: number, filter = {}) =>
    Array.from(selectFeatures(columns, featureQuerySchema.parse({ sort: 'random', seed, ...filter }), null))
  const [first, second] = [shuffle(1), shuffle(2)]
  assert.deepEqual(
    [...first].sort((a, b) => a - b),
    slowly(featureQuerySchema.parse({ sort: 'id' }), null),
  )
  assert.notDeepEqual(first, second)
  for (let seed = 3; seed < 30; seed++) shuffle(seed)
  assert.deepEqual(shuffle(1), first)
  const kept = new Set(slowly(featureQuerySchema.parse({ cluster: 1 }), null))
  assert.deepEqual(
    shuffle(1, { cluster: 1 }),
    first.filter((id) => kept.has(id)),
  )
})

test('no feature at all is no trouble', () => {
  const none = new Float64Array(0)
  const empty: FeatureColumns = {
    ...{ density: none, max: none, mean: none, score: none, singleToken: new Uint8Array(0) },
    ...{ labelled: new Uint8Array(0), cluster: new Int32Array(0), order: new Int32Array(0) },
  }
  assert.deepEqual(Array.from(selectFeatures(empty, featureQuerySchema.parse({}), null)), [])
})
