import { createSignal, Show } from 'solid-js'
import type { RunInfo } from '../../../src/server/protocol'
import type { ListQuery } from '../list-query'
import { useRun } from '../runs'
import { isExport } from '../source'
import { FeatureList, type ListProps } from './browse/feature-list'
import { activeFilters, ListFilters } from './browse/list-filters'
import { ListKeys } from './browse/list-keys'
import { ListSearch } from './browse/list-search'
import { ListSort } from './browse/list-sort'
import { createListAddress } from './browse/place'
import { TextHits } from './browse/text-list'
import './browse.css'

/** All features: searched, filtered, sorted. The address says what is shown. */
export default function Browse() {
  const run = useRun()
  return <Show when={run()}>{(found) => <Features run={found()} />}</Show>
}

function Features(props: { run: RunInfo }) {
  const place = createListAddress(() => props.run.run)
  const canRun = () => props.run.has.model && !isExport
  const byText = () => canRun() && place.query().text !== undefined
  const [total, setTotal] = createSignal<number | null>(null)
  let search: HTMLInputElement | undefined
  let grid: HTMLElement | undefined
  let featureAt: (index: number) => number | undefined = () => undefined
  let help = () => {}
  const list = (): ListProps => ({
    run: props.run,
    place,
    onTotal: setTotal,
    features: (of) => {
      featureAt = of
    },
    ref: (element) => {
      grid = element
    },
  })
  return (
    <div class="browse">
      <div class="browse-head">
        <h1>Features</h1>
        <p class="quiet" role="status">
          <Show when={total() !== null} fallback="Counting …">
            {countWords(total() ?? 0, props.run.features, byText())}
          </Show>
        </p>
        <button type="button" class="plain small" onClick={() => help()}>
          Keys <kbd>?</kbd>
        </button>
      </div>
      <div class="browse-controls">
        <ListSearch
          query={place.query()}
          canRun={canRun()}
          onChange={place.change}
          ref={(element) => {
            search = element
          }}
        />
        <Show when={!byText()}>
          <ListSort run={props.run} query={place.query()} onChange={place.change} />
        </Show>
      </div>
      <Show when={!byText()} fallback={<TextHits {...list()} />}>
        <Filters run={props.run} query={place.query()} onChange={place.change} onReset={place.reset} />
        <FeatureList {...list()} />
      </Show>
      <ListKeys
        run={props.run.run}
        features={props.run.features}
        total={total() ?? 1}
        place={place}
        featureAt={(index) => featureAt(index)}
        grid={() => grid}
        search={() => search}
        help={(open) => {
          help = open
        }}
      />
    </div>
  )
}

const grouped = (count: number) => count.toLocaleString('en-US')

function countWords(total: number, all: number, byText: boolean): string {
  if (byText) return `${grouped(total)} of ${grouped(all)} features fire on the text`
  return total === all ? `${grouped(all)} features` : `${grouped(total)} of ${grouped(all)} features match`
}

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
