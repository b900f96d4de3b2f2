import { createEffect, createSignal, on, onCleanup, untrack } from 'solid-js'
import type { FeatureListItem } from '../../../../src/server/protocol'
import { getFeatures } from '../../api'
import { apiQuery, formatListQuery, type ListQuery } from '../../list-query'

/** Rows of the list that one request brings. */
export const pageSize = 100

/** How often rows are asked for at most, ms: a fast scroll passes thousands. */
const pace = 120

/** Rows before and after those in view that are fetched too, so that slow scrolling meets no gaps. */
const margin = 25

/** Pages that are kept: the ones seen last. */
const kept = 60

export interface FeatureRows {
  /** rows in the list; null until it is known */
  total: () => number | null
  /** undefined while it is not here yet; tracked */
  row: (index: number) => FeatureListItem | undefined
  /** says which rows are in view: they are fetched, and what is no longer wanted is given up */
  show: (first: number, last: number) => void
  /** whether another list was asked for and has not come yet */
  pending: () => boolean
  error: () => unknown
  retry: () => void
}

/** Rows of a list of any length, fetched in pages as they come into view. */
export function createFeatureRows(run: () => string, query: () => ListQuery): FeatureRows {
  const [pages, setPages] = createSignal<ReadonlyMap<number, FeatureListItem[]>>(new Map())
  const [total, setTotal] = createSignal<number | null>(null)
  const [pending, setPending] = createSignal(true)
  const [error, setError] = createSignal<unknown>(null)
  const underway = new Map<number, AbortController>()
  let wanted: number[] = []
  let timer: ReturnType<typeof setTimeout> | undefined

  const giveUp = (keep: readonly number[] = []): void => {
    for (const [page, controller] of underway)
      if (!keep.includes(page)) {
        controller.abort()
        underway.delete(page)
      }
  }
  const fetchPage = async (page: number): Promise<void> => {
    const controller = new AbortController()
    underway.set(page, controller)
    try {
      const part = { offset: page * pageSize, limit: pageSize }
      const list = await getFeatures(run(), { ...apiQuery(query()), ...part }, controller.signal)
      if (controller.signal.aborted) return
      setPages((before) => lastPages(pending() ? new Map() : before, page, list.items))
      setTotal(list.total)
      setPending(false)
    } catch (cause) {
      if (controller.signal.aborted) return
      setError(cause)
    }
    underway.delete(page)
  }
  const fetchWanted = (): void => {
    timer = undefined
    giveUp(wanted)
    for (const page of wanted) if (!pages().has(page) && !underway.has(page)) void fetchPage(page)
  }
  const restart = (): void => {
    clearTimeout(timer)
    timer = undefined
    giveUp()
    setError(null)
    setPending(true)
    wanted = [Math.floor((query().at ?? 0) / pageSize)]
    void fetchPage(wanted[0])
  }
  const identity = () => `${run()} ${formatListQuery({ ...apiQuery(query()) } as ListQuery)}`
  createEffect(on(identity, restart))
  onCleanup(() => {
    clearTimeout(timer)
    giveUp()
  })
  return {
    total,
    row: (index) => pages().get(Math.floor(index / pageSize))?.[index % pageSize],
    show(first, last) {
      if (pending()) return
      const [from, to] = [Math.max(0, first - margin), Math.min((total() ?? 1) - 1, last + margin)]
      wanted = pagesOf(from, to)
      if (wanted.some((page) => !untrack(pages).has(page))) timer ??= setTimeout(fetchWanted, pace)
    },
    pending,
    error,
    retry: restart,
  }
}

const pagesOf = (first: number, last: number): number[] => {
  const [from, to] = [Math.floor(first / pageSize), Math.floor(last / pageSize)]
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

function lastPages(
  before: ReadonlyMap<number, FeatureListItem[]>,
  page: number,
  items: FeatureListItem[],
): Map<number, FeatureListItem[]> {
  const after = [...before].filter(([other]) => other !== page).slice(1 - kept)
  return new Map([...after, [page, items]])
}
