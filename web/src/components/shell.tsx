import { A, useLocation, useNavigate, useParams } from '@solidjs/router'
import { For, type JSX, Show } from 'solid-js'
import { address, useRuns } from '../runs'
import { isExport } from '../source'
import { ThemeSwitch } from './theme-switch'

/** What surrounds every page: the run, the parts of the app, the theme. */
export function Shell(props: { children: JSX.Element }) {
  const runs = useRuns()
  const params = useParams<{ run?: string }>()
  const navigate = useNavigate()
  const location = useLocation()
  const current = () => runs().find(({ run }) => run === params.run) ?? runs()[0]
  const parts = () => {
    const { run, has } = current()
    return [
      { name: 'Overview', href: address.overview(run), end: true, shown: true },
      { name: 'Features', href: address.features(run), end: false, shown: true },
      { name: 'Map', href: address.map(run), end: false, shown: has.map },
      { name: 'Text', href: address.text(run), end: false, shown: has.model && !isExport },
      { name: 'Steer', href: address.steer(run), end: false, shown: has.model && !isExport },
      { name: 'API', href: '/api', end: true, shown: !isExport },
    ].filter(({ shown }) => shown)
  }
  return (
    <>
      <a
        class="skip"
        href={`${location.pathname}#main`}
        onClick={() => document.getElementById('main')?.focus()}
      >
        Skip to the content
      </a>
      <header class="bar">
        <A class="brand" href="/" aria-label="Monosem, start page">
          <img src="./icon.svg" alt="" width="22" height="22" /> Monosem
        </A>
        <Show when={runs().length > 1} fallback={<span class="run">{current().run}</span>}>
          <select
            class="run"
            aria-label="Run"
            value={current().run}
            onChange={(event) => navigate(address.overview(event.currentTarget.value))}
          >
            <For each={runs()}>{({ run }) => <option value={run}>{run}</option>}</For>
          </select>
        </Show>
        <nav aria-label="Parts of the browser">
          <For each={parts()}>
            {({ name, href, end }) => (
              <A href={href} end={end}>
                {name}
              </A>
            )}
          </For>
        </nav>
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        {props.children}
      </main>
    </>
  )
}
