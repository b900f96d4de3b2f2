import { For, Show } from 'solid-js'
import { type Coloured, type Colouring, clusterColour, colouringNames } from './colouring'
import type { MapPoints } from './points'

export interface LegendProps {
  points: MapPoints
  by: Colouring
  coloured: Coloured
}

/** What the colours mean. */
export function Legend(props: LegendProps) {
  return (
    <section class="map-legend" aria-label="Legend">
      <Show when={props.coloured.scale} fallback={<ClusterLegend points={props.points} />}>
        {(scale) => (
          <>
            <span class="map-legend-name">
              {colouringNames[props.by]}
              {props.by === 'density' ? ', share of tokens (log)' : ''}
            </span>
            <div class="map-scale" />
            <div class="map-scale-ends number">
              <For each={scale()}>{(value) => <span>{value}</span>}</For>
            </div>
            <Show when={props.coloured.without > 0}>
              <span class="quiet">
                <span class="map-swatch" data-colour="none" /> no value:{' '}
                {props.coloured.without.toLocaleString('en-US')}
              </span>
            </Show>
          </>
        )}
      </Show>
    </section>
  )
}

/** Clusters that a legend has room for. */
const named = 9

function ClusterLegend(props: { points: MapPoints }) {
  const clusters = () => props.points.map.clusters
  return (
    <>
      <span class="map-legend-name">Largest clusters</span>
      <ul class="map-legend-clusters">
        <For each={clusters().slice(0, named)}>
          {({ cluster, name }) => (
            <li>
              <span class="map-swatch" data-colour={clusterColour(cluster)} /> <bdi dir="ltr">{name}</bdi>
            </li>
          )}
        </For>
      </ul>
      <Show when={clusters().length > named}>
        <span class="quiet">
          Colours repeat after these; the smallest are grey. All names are in the list.
        </span>
      </Show>
    </>
  )
}
