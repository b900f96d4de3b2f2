import { A, useLocation } from '@solidjs/router'
import { For, Show } from 'solid-js'
import { address, useRuns } from '../runs'

/** For addresses that nothing is at. */
export default function NotFound() {
  const runs = useRuns()
  const location = useLocation()
  return (
    <section class="panel">
      <h1>Nothing is here</h1>
      <p>
        No page has the address <code>{location.pathname}</code>.
      </p>
      <Show when={runs().length > 0}>
        <p>What is here:</p>
        <ul>
          <For each={runs()}>
            {({ run }) => (
              <li>
                <bdi>{run}</bdi>: <A href={address.overview(run)}>overview</A>,{' '}
                <A href={address.features(run)}>features</A>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </section>
  )
}
