import { createSignal, For, Match, Show, Switch } from 'solid-js'
import type { FeatureList } from '../../../../src/server/protocol'
import { ClusterRows } from './cluster-rows'
import { FeatureRows } from './feature-rows'
import type { MapPoints } from './points'
import { saveText, selectionJson } from './save-selection'

/** Which list stands beside the map. */
export type List = 'clusters' | 'hits' | 'selected'

export interface SideProps {
  run: string
  points: MapPoints
  colouredByCluster: boolean
  hits: FeatureList | undefined
  selected: readonly number[]
  list: List
  onList: (list: List) => void
  onShowPoint: (point: number) => void
  onShowCluster: (cluster: number) => void
  onSelectCluster: (cluster: number) => void
  onClear: () => void
}

/** The lists beside the map: everything on it can be reached from them. */
export function Side(props: SideProps) {
  const tabs = (): { list: List; name: string; count: number }[] => [
    { list: 'clusters', name: 'Clusters', count: props.points.map.clusters.length },
    { list: 'hits', name: 'Hits', count: props.hits?.total ?? 0 },
    { list: 'selected', name: 'Selected', count: props.selected.length },
  ]
  const showFeature = (feature: number) => {
    const point = props.points.pointOf.get(feature)
    if (point !== undefined) props.onShowPoint(point)
  }
  const rows = (label: string, features: readonly number[]) => (
    <FeatureRows run={props.run} label={label} features={features} onShow={showFeature} />
  )
  return (
    <section class="panel map-side" aria-label="Lists">
      <div class="map-tabs">
        <For each={tabs()}>
          {({ list, name, count }) => (
            <button type="button" aria-pressed={props.list === list} onClick={() => props.onList(list)}>
              {name} <span class="number">{count.toLocaleString('en-US')}</span>
            </button>
          )}
        </For>
      </div>
      <Switch>
        <Match when={props.list === 'clusters'}>
          <ClusterRows
            run={props.run}
            points={props.points}
            coloured={props.colouredByCluster}
            onShow={props.onShowCluster}
            onSelect={props.onSelectCluster}
          />
        </Match>
        <Match when={props.list === 'hits'}>
          <Show when={props.hits} fallback={<p class="quiet">Search to see which features are meant.</p>}>
            {(hits) => (
              <>
                <p class="quiet" role="status">
                  {hitsText(hits(), props.points)}
                </p>
                {rows(
                  'Features found',
                  hits().items.map(({ feature }) => feature),
                )}
              </>
            )}
          </Show>
        </Match>
        <Match when={props.list === 'selected'}>
          <SelectedList {...props} />
        </Match>
      </Switch>
    </section>
  )
}

function hitsText({ total, items }: FeatureList, { pointOf }: MapPoints): string {
  const onMap = items.filter(({ feature }) => pointOf.has(feature)).length
  const first = total > items.length ? `; the first ${items.length} are marked` : ''
  const missing = onMap < items.length ? `; ${items.length - onMap} are not on the map` : ''
  return `${total.toLocaleString('en-US')} found${first}${missing}`
}

function SelectedList(props: SideProps) {
  const [copied, setCopied] = createSignal('')
  const features = () => props.selected.map((point) => props.points.map.feature[point])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(features().join(','))
      setCopied('Copied.')
    } catch {
      setCopied('The browser does not allow it.')
    }
  }
  const save = () =>
    saveText(selectionJson(props.run, props.points.map, props.selected), `${props.run}-selection.json`)
  return (
    <Show
      when={props.selected.length > 0}
      fallback={
        <p class="quiet">
          Draw around points to select them: with Shift and drag, or with the Lasso button. Clusters can be
          selected from their list.
        </p>
      }
    >
      <div class="map-actions">
        <button type="button" onClick={copy}>
          Copy numbers
        </button>
        <button type="button" onClick={save}>
          Download JSON
        </button>
        <button type="button" onClick={props.onClear}>
          Clear
        </button>
        <span class="quiet" role="status">
          {copied()}
        </span>
      </div>
      <FeatureRows
        run={props.run}
        label="Selected features"
        features={features()}
        onShow={(feature) => {
          const point = props.points.pointOf.get(feature)
          if (point !== undefined) props.onShowPoint(point)
        }}
      />
    </Show>
  )
}
