import type { FeatureQuery, FeatureSort } from '../../src/server/protocol'
import { getFeatures, queryString } from './api'

/*
 * What the list of features shows, as query parameters of its address. A feature's page that was opened from the list has the same parameters and `at`,
 * the feature's place in the list: so it knows what stands before and after it, and the way back.
 */

type Flag = 'true' | 'false'

/** Parameters of the API's list, but for paging; and what only the app knows. */
export interface ListQuery {
  q?: string
  in?: 'all' | 'explanation' | 'token'
  sort?: FeatureSort
  order?: 'asc' | 'desc'
  seed?: number
  minDensity?: number
  maxDensity?: number
  minMax?: number
  maxMax?: number
  minScore?: number
  maxScore?: number
  singleToken?: Flag
  labelled?: Flag
  cluster?: number
  /** text that the model runs: the features that fire on it, in place of a search */
  text?: string
  /** place in the list, 0 first: the chosen row */
  at?: number
}

const sorts: readonly FeatureSort[] = ['id', 'density', 'max', 'mean', 'score', 'map', 'random']
const ranges = ['minDensity', 'maxDensity', 'minMax', 'maxMax', 'minScore', 'maxScore'] as const
const wholes = ['cluster', 'seed', 'at'] as const

const oneOf = <T extends string>(values: readonly T[], value: string | null): T | undefined =>
  values.find((known) => known === value)

/**
 * Reads the query of an address; what is not understood is left out.
 * @param search `?sort=max&at=3`, with or without the question mark
 */
export function parseListQuery(search: string): ListQuery {
  const params = new URLSearchParams(search)
  const query: ListQuery = {
    q: params.get('q') ?? undefined,
    in: oneOf(['all', 'explanation', 'token'], params.get('in')),
    text: params.get('text') ?? undefined,
    sort: oneOf(sorts, params.get('sort')),
    order: oneOf(['asc', 'desc'], params.get('order')),
    singleToken: oneOf(['true', 'false'], params.get('singleToken')),
    labelled: oneOf(['true', 'false'], params.get('labelled')),
  }
  for (const name of [...ranges, ...wholes]) {
    const value = params.get(name)
    if (value !== null && value.trim() !== '' && Number.isFinite(Number(value))) query[name] = Number(value)
  }
  for (const name of wholes) {
    const value = query[name]
    if (value !== undefined && (!Number.isInteger(value) || value < 0)) delete query[name]
  }
  return query
}

/** The query of an address, `?...` or empty. */
export const formatListQuery = (query: ListQuery): string => queryString({ ...query })

/** The same list, without a place in it. */
export const withoutPlace = ({ at: _, ...query }: ListQuery): ListQuery => query

/** What the API is asked for; `text` is another request. */
export const apiQuery = ({ at: _at, text: _text, ...query }: ListQuery): FeatureQuery => query

/** One place in a list. */
export interface ListPlace {
  feature: number
  /** place in the list, for `at` */
  at: number
}

/**
 * What stands before and after place `at` of a list.
 * @returns null on either side where the list ends, and on both without a place or for a list by text
 */
export async function listNeighbours(
  run: string,
  query: ListQuery,
  signal?: AbortSignal,
): Promise<{ previous: ListPlace | null; next: ListPlace | null; total: number | null }> {
  const { at, text } = query
  if (at === undefined || text !== undefined) return { previous: null, next: null, total: null }
  const offset = Math.max(0, at - 1)
  const list = await getFeatures(run, { ...apiQuery(query), offset, limit: 3 }, signal)
  const place = (index: number): ListPlace | null => {
    const item = list.items[index - offset]
    return index < offset || item === undefined ? null : { feature: item.feature, at: index }
  }
  return { previous: place(at - 1), next: place(at + 1), total: list.total }
}
