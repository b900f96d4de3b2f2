import { For, Show } from 'solid-js'
import type { RunInfo } from '../../../../src/server/protocol'
import type { ListQuery } from '../../list-query'
import { sorts } from './list-filters'

export interface ListSortProps {
  run: RunInfo
  query: ListQuery
  onChange: (change: ListQuery) => void
}

/** What the list is sorted by, and which way. */
export function ListSort(props: ListSortProps) {
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
