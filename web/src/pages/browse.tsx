import { useLocation, useNavigate } from '@solidjs/router'
import { createEffect, createMemo, createSignal, For, on, onCleanup, Show } from 'solid-js'
import type { RunInfo } from '../../../src/server/protocol'
import { FeatureList } from '../browse/feature-list'
import { GoDialog, KeysDialog, useKeys } from '../browse/keys'
import { activeFilters, ListFilters, sorts } from '../browse/list-filters'
import { ListSearch } from '../browse/list-search'
import { TextHits } from '../browse/text-list'
import { formatListQuery, type ListQuery, parseListQuery } from '../list-query'
import { address, useRun } from '../runs'
import { isExport } from '../source'
import './browse.css'

/** How long the chosen row must stay before the address names it, ms. */
const settle = 250

/** All features: searched, filtered, sorted. The address says what is shown. */
export default function Browse() {
  const run = useRun()
  return <Show when={run()}>{(found) => <Features run={found()} />}</Show>
}

function Features(props: { run: RunInfo }) {
  const location = useLocation()
  const navigate = useNavigate()
  const query = createMemo(() => parseListQuery(location.search))
  const base = () => address.features(props.run.run)
  const canRun = () => props.run.has.model && !isExport
  const [total, setTotal] = createSignal<number | null>(null)
  const [selected, setSelected] = createSignal(query().at ?? -1)
  let search: HTMLInputElement | undefined
  let grid: HTMLElement | undefined
  let keysDialog: HTMLDialogElement | undefined
  let goDialog: HTMLDialogElement | undefined
  let feature: (index: number) => number | undefined = () => undefined

  const change = (part: ListQuery, replace = false): void => {
    navigate(base() + formatListQuery({ ...query(), at: undefined, ...part }), { replace, scroll: false })
  }
  const reset = () => navigate(base() + formatListQuery({ sort: query().sort, order: query().order }))
  const place = (at: number) => {
    if (at !== (query().at ?? -1)) change({ at: at < 0 ? undefined : at }, true)
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  onCleanup(() => clearTimeout(timer))
  const select = (index: number): void => {
    setSelected(index)
    clearTimeout(timer)
    timer = setTimeout(() => place(index), settle)
  }
  createEffect(on(query, ({ at }) => setSelected(at ?? -1), { defer: true }))
  const href = (id: number, at: number) =>
    address.feature(props.run.run, id) + formatListQuery({ ...query(), at })
  /** The router does not keep an address that is left in the same moment, the browser's history does. */
  const leave = (at: number) => {
    clearTimeout(timer)
    const here = base() + formatListQuery({ ...query(), at })
    history.replaceState(history.state, '', isExport ? `#${here}` : here)
  }
  const open = (): void => {
    const id = feature(selected())
    if (id === undefined) return
    leave(selected())
    navigate(href(id, selected()))
  }
  const move = (index: number) => () => {
    grid?.focus({ preventScroll: true })
    select(Math.max(0, Math.min((total() ?? 1) - 1, index)))
  }
  useKeys(({ target }) => ({
    j: move(selected() + 1),
    k: move(selected() - 1),
    '/': () => search?.focus(),
    g: () => goDialog?.showModal(),
    '?': () => keysDialog?.showModal(),
    ...((target === grid || target === document.body) && {
      ArrowDown: move(selected() + 1),
      ArrowUp: move(selected() - 1),
      PageDown: move(selected() + 10),
      PageUp: move(selected() - 10),
      Home: move(0),
      End: move((total() ?? 1) - 1),
      Enter: open,
    }),
  }))
  const shared = {
    get run() {
      return props.run
    },
    get query() {
      return query()
    },
    get selected() {
      return selected()
    },
    href,
    onSelect: select,
    onOpen: leave,
    onTotal: setTotal,
    onReset: reset,
    onChange: change,
    features: (of: (index: number) => number | undefined) => {
      feature = of
    },
    ref: (element: HTMLElement) => {
      grid = element
    },
  }
  return (
    <div class="browse">
      <div class="browse-head">
        <h1>Features</h1>
        <p class="quiet" role="status">
          <Show when={total() !== null} fallback="Counting …">
            {countWords(total() ?? 0, props.run.features, query())}
          </Show>
        </p>
        <button type="button" class="plain small" onClick={() => keysDialog?.showModal()}>
          Keys <kbd>?</kbd>
        </button>
      </div>
      <div class="browse-controls">
        <ListSearch
          query={query()}
          canRun={canRun()}
          onChange={change}
          ref={(element) => {
            search = element
          }}
        />
        <Show when={query().text === undefined}>
          <SortChoice run={props.run} query={query()} onChange={change} />
        </Show>
      </div>
      <Show when={query().text === undefined}>
        <Filters run={props.run} query={query()} onChange={change} onReset={reset} />
      </Show>
      <Show when={query().text === undefined || !canRun()} fallback={<TextHits {...shared} />}>
        <FeatureList {...shared} />
      </Show>
      <KeysDialog
        ref={(dialog) => {
          keysDialog = dialog
        }}
      />
      <GoDialog
        features={props.run.features}
        onGo={(id) => navigate(address.feature(props.run.run, id))}
        ref={(dialog) => {
          goDialog = dialog
        }}
      />
    </div>
  )
}

const grouped = (count: number) => count.toLocaleString('en-US')

function countWords(total: number, all: number, query: ListQuery): string {
  if (query.text !== undefined) return `${grouped(total)} of ${grouped(all)} features fire on the text`
  return total === all ? `${grouped(all)} features` : `${grouped(total)} of ${grouped(all)} features match`
}

function SortChoice(props: { run: RunInfo; query: ListQuery; onChange: (change: ListQuery) => void }) {
  const sort = () => props.query.sort ?? (props.query.q ? 'match' : 'density')
  const order = () => props.query.order ?? sorts.find(({ value }) => value === sort())?.order ?? 'desc'
  const possible = () => sorts.filter(({ needs }) => needs === undefined || props.run.has[needs])
  return (
    <div class="row list-sort">
      <div class="field">
        <label for="sort">Sort by</label>
        <select
          id="sort"
          value={sort()}
          onChange={({ currentTarget: { value } }) =>
            props.onChange({
              sort: sorts.find((known) => known.value === value)?.value,
              order: undefined,
              seed: value === 'random' ? newSeed() : undefined,
            })
          }
        >
          <Show when={props.query.q}>
            <option value="match">best match</option>
          </Show>
          <For each={possible()}>{({ value, name }) => <option value={value}>{name}</option>}</For>
        </select>
      </div>
      <Show
        when={sort() !== 'random'}
        fallback={
          <button type="button" class="order" onClick={() => props.onChange({ seed: newSeed() })}>
            shuffle
          </button>
        }
      >
        <button
          type="button"
          class="order"
          disabled={sort() === 'match'}
          aria-label={order() === 'asc' ? 'Smallest first; change' : 'Largest first; change'}
          title={order() === 'asc' ? 'smallest first' : 'largest first'}
          onClick={() =>
            props.onChange({ sort: props.query.sort, order: order() === 'asc' ? 'desc' : 'asc' })
          }
        >
          {order() === 'asc' ? '↑' : '↓'}
        </button>
      </Show>
    </div>
  )
}

const newSeed = () => Math.floor(Math.random() * 1e6)

function Filters(props: {
  run: RunInfo
  query: ListQuery
  onChange: (change: ListQuery) => void
  onReset: () => void
}) {
  const active = () => activeFilters(props.query).filter(({ without }) => !('q' in without))
  const wide = matchMedia('(min-width: 1000px)').matches
  return (
    <details class="panel browse-filters" open={wide}>
      <summary>
        Filters <Show when={active().length > 0}>({active().length})</Show>
      </summary>
      <ListFilters
        query={props.query}
        has={props.run.has}
        onChange={props.onChange}
        onReset={props.onReset}
      />
    </details>
  )
}
