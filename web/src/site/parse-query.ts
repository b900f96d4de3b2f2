import type { ParsedFeatureQuery } from '../../../src/server/protocol'

/** The query of a list as the server understands it; what makes no sense is left out. */
export function parseQuery(params: URLSearchParams): ParsedFeatureQuery {
  const number = (name: string): number | undefined => {
    const text = params.get(name)
    const value = text === null || text.trim() === '' ? Number.NaN : Number(text)
    return Number.isFinite(value) ? value : undefined
  }
  const flag = (name: string): boolean | undefined => ({ true: true, false: false })[params.get(name) ?? '']
  const choice = <T extends string>(name: string, values: readonly T[]): T | undefined =>
    values.find((value) => value === params.get(name))
  return {
    q: params.get('q') ?? undefined,
    in: choice('in', ['all', 'explanation', 'token']) ?? 'all',
    sort: choice('sort', ['id', 'density', 'max', 'mean', 'score', 'map', 'random']),
    order: choice('order', ['asc', 'desc']),
    seed: number('seed') ?? 0,
    minDensity: number('minDensity'),
    maxDensity: number('maxDensity'),
    minMax: number('minMax'),
    maxMax: number('maxMax'),
    minScore: number('minScore'),
    maxScore: number('maxScore'),
    singleToken: flag('singleToken'),
    labelled: flag('labelled'),
    cluster: number('cluster'),
    limit: number('limit') ?? 50,
    offset: number('offset') ?? 0,
  }
}
