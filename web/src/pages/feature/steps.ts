import { useLocation, useNavigate } from '@solidjs/router'
import { onCleanup, onMount } from 'solid-js'
import type { RunInfo } from '../../../../src/server/protocol'
import { formatListQuery, listNeighbours, parseListQuery } from '../../list-query'
import { address } from '../../runs'
import { load } from './load'
import { fetchAhead } from './page-ahead'
import type { View } from './view'

/** An address, and the feature that it shows. */
export interface Step {
  feature: number
  href: string
}

/** Ways from one feature to the next. */
export interface Steps {
  /** in the list that the user came from, else by number */
  previous: () => Step | null
  next: () => Step | null
  /** the list that the user came from; null: none */
  list: () => { href: string; at: number; total: number | null } | null
}

/** What stands before and after a feature; both are fetched ahead, and keys go there: left, right, [ and ]. */
export function useSteps(run: RunInfo, feature: () => number, view: View): Steps {
  const location = useLocation()
  const query = () => parseListQuery(location.search)
  const inList = load(
    () => (query().at === undefined ? undefined : location.search),
    async (search, signal) => ({
      search,
      ...(await listNeighbours(run.run, parseListQuery(search), signal)),
    }),
  )
  const neighbours = () => {
    const found = inList.value()
    return query().at !== undefined && found?.search === location.search ? found : undefined
  }
  const viewQuery = () => view.search().replace('?', '&')
  const stepTo = (number: number, search: string): Step => {
    const rest = search === '' ? viewQuery().replace('&', '?') : search + viewQuery()
    return { feature: number, href: address.feature(run.run, number) + rest }
  }
  const step = (side: 'previous' | 'next'): Step | null => {
    const { at, text } = query()
    if (at !== undefined && text === undefined) {
      const place = neighbours()?.[side]
      return place ? stepTo(place.feature, formatListQuery({ ...query(), at: place.at })) : null
    }
    const number = feature() + (side === 'next' ? 1 : -1)
    return number < 0 || number >= run.features ? null : stepTo(number, '')
  }
  const steps: Steps = {
    previous: () => step('previous'),
    next: () => step('next'),
    list: () => {
      const { at } = query()
      if (at === undefined) return null
      return {
        href: address.features(run.run) + formatListQuery(query()),
        at,
        total: neighbours()?.total ?? null,
      }
    },
  }
  useStepKeys(steps)
  return steps
}

/** Pages before and after, asked for when the own page is there. */
export function fetchSteps(run: RunInfo, steps: Steps): void {
  for (const step of [steps.next(), steps.previous()]) if (step) fetchAhead(run.run, step.feature)
}

function useStepKeys(steps: Steps): void {
  const navigate = useNavigate()
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
      return
    const back = event.key === 'ArrowLeft' || event.key === '['
    const on = event.key === 'ArrowRight' || event.key === ']'
    const step = back ? steps.previous() : on ? steps.next() : null
    if (!step) return
    event.preventDefault()
    navigate(step.href, { scroll: false })
  }
  onMount(() => addEventListener('keydown', onKeyDown))
  onCleanup(() => removeEventListener('keydown', onKeyDown))
}

/** Where keys are for something else: fields, menus, sliders. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('input, textarea, select, [contenteditable], dialog') !== null
