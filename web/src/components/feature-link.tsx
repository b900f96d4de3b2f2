import { A } from '@solidjs/router'
import { Show } from 'solid-js'
import { address } from '../runs'

/** The way to a feature's page: its number, and its name where it has one: English, though it may begin with a token of another script. */
export function FeatureLink(props: {
  run: string
  feature: number
  name?: string | null
  /** query of the address, `?...` or empty */
  search?: string
}) {
  return (
    <A
      class="feature-link"
      title={props.name ?? undefined}
      href={address.feature(props.run, props.feature) + (props.search ?? '')}
    >
      <span class="number">{props.feature}</span>
      <Show when={props.name}>
        {' '}
        <bdi dir="ltr">{props.name}</bdi>
      </Show>
    </A>
  )
}
