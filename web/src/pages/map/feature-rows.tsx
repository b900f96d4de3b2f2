import { createVirtualizer } from '@tanstack/solid-virtual'
import { For } from 'solid-js'
import { FeatureLink } from '../../components/feature-link'
import { useNames } from '../../names'
import { TargetIcon } from './icons'

export interface FeatureRowsProps {
  run: string
  features: readonly number[]
  /** what the list holds, for those who do not see it */
  label: string
  /** centres the map on a feature; absent for features that are not on it */
  onShow: (feature: number) => void
}

const rowHeight = 36

/** A list of features by name, as long as it may be: only what is seen is there. */
export function FeatureRows(props: FeatureRowsProps) {
  let scroller!: HTMLElement
  const rows = createVirtualizer({
    get count() {
      return props.features.length
    },
    getScrollElement: () => scroller,
    estimateSize: () => rowHeight,
    overscan: 8,
  })
  const shown = () => rows.getVirtualItems().filter(({ index }) => index < props.features.length)
  const name = useNames(
    () => props.run,
    () => shown().map(({ index }) => props.features[index]),
  )
  return (
    <section
      ref={scroller}
      class="map-rows"
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys must be able to
      tabIndex={0}
    >
      <ul style={{ height: `${rows.getTotalSize()}px` }}>
        <For each={shown()}>
          {(row) => {
            const feature = () => props.features[row.index]
            return (
              <li
                aria-setsize={props.features.length}
                aria-posinset={row.index + 1}
                style={{ transform: `translateY(${row.start}px)` }}
              >
                <FeatureLink run={props.run} feature={feature()} name={name(feature())} />
                <button
                  type="button"
                  class="map-show"
                  aria-label={`Show feature ${feature()} on the map`}
                  onClick={() => props.onShow(feature())}
                >
                  <TargetIcon />
                </button>
              </li>
            )
          }}
        </For>
      </ul>
    </section>
  )
}
