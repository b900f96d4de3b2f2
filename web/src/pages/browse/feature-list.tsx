import { createEffect, For, on, Show } from 'solid-js'
import type { FeatureSort, RunInfo } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { formatListQuery, type ListQuery, withoutPlace } from '../../list-query'
import { FeatureRow } from './feature-row'
import { createFeatureRows } from './feature-rows'
import { activeFilters, sorts } from './list-filters'
import { narrow } from './narrow'
import type { ListAddress } from './place'
import { type Column, VirtualGrid } from './virtual-grid'

/** What the lists of this page share. */
export interface ListProps {
  run: RunInfo
  place: ListAddress
  onTotal: (total: number | null) => void
  /** hands out which feature stands at a place */
  features: (of: (index: number) => number | undefined) => void
  ref: (grid: HTMLElement) => void
}

/** Features in the order and with the filters of the query. */
export function FeatureList(props: ListProps) {
  let grid: HTMLElement | undefined
  const rows = createFeatureRows(() => props.run.run, props.place.query)
  props.features((index) => rows.row(index)?.feature)
  createEffect(() => props.onTotal(rows.pending() ? null : rows.total()))
  const list = () => formatListQuery(withoutPlace(props.place.query()))
  createEffect(
    on(list, () => props.place.query().at === undefined && grid?.scrollTo({ top: 0 }), { defer: true }),
  )
  return (
    <Show when={!rows.error()} fallback={<Failure error={rows.error()} retry={rows.retry} />}>
      <Show
        when={rows.total() !== 0 || rows.pending()}
        fallback={
          <NothingMatches
            query={props.place.query()}
            onChange={props.place.change}
            onReset={props.place.reset}
          />
        }
      >
        <VirtualGrid
          label="Features"
          class="feature-grid"
          columns={columns(props.place.query(), props.place.change)}
          total={rows.total() ?? 30}
          rowHeight={narrow() ? 112 : 60}
          selected={props.place.selected()}
          pending={rows.pending()}
          onSelect={props.place.select}
          onShow={rows.show}
          row={(index) => (
            <FeatureRow
              item={rows.row(index)}
              href={(feature) => props.place.href(feature, index)}
              onOpen={() => props.place.leave(index)}
            />
          )}
          ref={(element) => {
            grid = element
            props.ref(element)
          }}
        />
      </Show>
    </Show>
  )
}

/** Heads of the columns; a second click turns the order round. */
function columns(query: ListQuery, onChange: (change: ListQuery) => void): Column[] {
  const sorted = query.sort ?? (query.q ? undefined : 'density')
  const sortable = (name: string, sort: FeatureSort, number = true): Column => {
    const begins = sorts.find(({ value }) => value === sort)?.order ?? 'desc'
    const order = sorted === sort ? (query.order ?? begins) : undefined
    return {
      name,
      number,
      sorted: order && (order === 'asc' ? 'ascending' : 'descending'),
      sort: () =>
        onChange({
          sort,
          order: order === undefined ? undefined : order === 'asc' ? 'desc' : 'asc',
          seed: undefined,
        }),
    }
  }
  return [
    sortable('Feature', 'id'),
    { name: 'Name and tokens' },
    sortable('Density', 'density'),
    sortable('Maximum', 'max'),
    sortable('Score', 'score'),
    { name: 'Strongest example' },
  ]
}

function NothingMatches(props: {
  query: ListQuery
  onChange: (change: ListQuery) => void
  onReset: () => void
}) {
  return (
    <div class="panel empty stack">
      <p>No feature matches all of this. Take something away:</p>
      <div class="row centred">
        <For each={activeFilters(props.query)}>
          {({ words, without }) => (
            <button type="button" onClick={() => props.onChange(without)}>
              <bdi>{words}</bdi> <span aria-hidden="true">×</span>
            </button>
          )}
        </For>
        <button type="button" class="primary" onClick={() => props.onReset()}>
          Show all features
        </button>
      </div>
    </div>
  )
}
