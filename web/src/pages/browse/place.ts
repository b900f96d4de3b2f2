import { useLocation, useNavigate } from '@solidjs/router'
import { createEffect, createMemo, createSignal, on, onCleanup } from 'solid-js'
import { formatListQuery, type ListQuery, parseListQuery } from '../../list-query'
import { address } from '../../runs'
import { isExport } from '../../source'

/** How long the chosen row must stay before the address names it, ms. */
const settle = 250

/** What the address says about the list, and how to change it. */
export interface ListAddress {
  query: () => ListQuery
  /** place of the chosen row; -1: none */
  selected: () => number
  select: (index: number) => void
  /** @param replace whether "back" shall not come here again */
  change: (part: ListQuery, replace?: boolean) => void
  /** the same order, nothing left out */
  reset: () => void
  /** address of a feature that stands at a place of this list */
  href: (feature: number, at: number) => string
  /** before the page of the feature at this place is opened: coming back finds the list at it */
  leave: (at: number) => void
}

/** Keeps what the list shows in the address. */
export function createListAddress(run: () => string): ListAddress {
  const location = useLocation()
  const navigate = useNavigate()
  const query = createMemo(() => parseListQuery(location.search))
  const [selected, setSelected] = createSignal(query().at ?? -1)
  createEffect(on(query, ({ at }) => setSelected(at ?? -1), { defer: true }))
  const here = (list: ListQuery): string => address.features(run()) + formatListQuery(list)
  const change = (part: ListQuery, replace = false): void =>
    navigate(here({ ...query(), at: undefined, ...part }), { replace, scroll: false })
  let timer: ReturnType<typeof setTimeout> | undefined
  onCleanup(() => clearTimeout(timer))
  return {
    query,
    selected,
    change,
    select(index) {
      setSelected(index)
      clearTimeout(timer)
      timer = setTimeout(() => index !== query().at && change({ at: index }, true), settle)
    },
    reset: () => navigate(here({ sort: query().sort, order: query().order, seed: query().seed })),
    href: (feature, at) => address.feature(run(), feature) + formatListQuery({ ...query(), at }),
    leave(at) {
      clearTimeout(timer)
      // The router does not keep an address that is left in the same moment, the browser's history does.
      const left = here({ ...query(), at })
      history.replaceState(history.state, '', isExport ? `#${left}` : left)
    },
  }
}
