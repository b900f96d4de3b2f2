import { A } from '@solidjs/router'
import { For, Show } from 'solid-js'
import { address } from '../../runs'
import { clusterColour } from './colouring'
import { SelectIcon, TargetIcon } from './icons'
import type { MapPoints } from './points'

export interface ClusterRowsProps {
  run: string
  points: MapPoints
  /** whether points are coloured by cluster */
  coloured: boolean
  onShow: (cluster: number) => void
  onSelect: (cluster: number) => void
}

/** All clusters, largest first: the map for those who read it. */
export function ClusterRows(props: ClusterRowsProps) {
  return (
    <section
      class="map-rows"
      aria-label="Clusters, largest first"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys must be able to
      tabIndex={0}
    >
      <ul class="map-clusters">
        <For each={props.points.map.clusters}>
          {({ cluster, size, name }) => (
            <li>
              <A class="feature-link" href={`${address.features(props.run)}?cluster=${cluster}`}>
                <Show when={props.coloured}>
                  <span class="map-swatch" data-colour={clusterColour(cluster)} />{' '}
                </Show>
                <bdi dir="ltr">{name}</bdi>
              </A>
              <span class="quiet number">
                {size.toLocaleString('en-US')}
                <span class="visually-hidden"> features</span>
              </span>
              <button
                type="button"
                class="map-show"
                aria-label={`Select the features of the cluster ${name}`}
                title="Select its features"
                onClick={() => props.onSelect(cluster)}
              >
                <SelectIcon />
              </button>
              <button
                type="button"
                class="map-show"
                aria-label={`Show the cluster ${name} on the map`}
                title="Show on the map"
                onClick={() => props.onShow(cluster)}
              >
                <TargetIcon />
              </button>
            </li>
          )}
        </For>
      </ul>
    </section>
  )
}
