import { A } from '@solidjs/router'
import { address } from '../../runs'

export interface TracedFeatureProps {
  run: string
  feature: number
  /** undefined: not known yet */
  name: string | null | undefined
  traced: boolean
  onTrace: (feature: number) => void
}

/** A feature of which the number and name trace it through the text, and the way to its page. */
export function TracedFeature(props: TracedFeatureProps) {
  return (
    <span class="lab-feature">
      <button
        type="button"
        class="plain"
        aria-pressed={props.traced}
        title="Trace it through the text"
        onClick={() => props.onTrace(props.feature)}
      >
        <span class="number quiet">{props.feature}</span> <bdi dir="ltr">{props.name ?? ''}</bdi>
      </button>
      <A
        class="small"
        href={address.feature(props.run, props.feature)}
        aria-label={`Page of feature ${props.feature}`}
      >
        page
      </A>
    </span>
  )
}
