import { HashRouter, Navigate, Route, Router } from '@solidjs/router'
import { createResource, type JSX, lazy, Match, Show, Suspense, Switch } from 'solid-js'
import { getRuns } from './api'
import { Failure } from './components/failure'
import { Shell } from './components/shell'
import { address, ProvideRuns, useRun, useRuns } from './runs'
import { isExport } from './source'

const Overview = lazy(() => import('./pages/overview'))
const Browse = lazy(() => import('./pages/browse'))
const Feature = lazy(() => import('./pages/feature'))
const MapPage = lazy(() => import('./pages/map'))
const TextLab = lazy(() => import('./pages/text-lab'))
const SteerLab = lazy(() => import('./pages/steer-lab'))
const Reference = lazy(() => import('./pages/reference'))
const NotFound = lazy(() => import('./pages/not-found'))

/** A page of one run: its address may name one that is not served. */
const ofRun = (Page: () => JSX.Element) => () => {
  const run = useRun()
  return (
    <Show when={run()} fallback={<NotFound />} keyed>
      <Page />
    </Show>
  )
}

const FirstRun = () => <Navigate href={address.overview(useRuns()()[0].run)} />

const Root = (props: { children?: JSX.Element }) => {
  const [list] = createResource(getRuns)
  return (
    <Switch>
      <Match when={list.error}>
        <Failure error={list.error} />
      </Match>
      <Match when={list()}>
        {(found) => (
          <ProvideRuns runs={found().runs}>
            <Shell>
              <Suspense>{props.children}</Suspense>
            </Shell>
          </ProvideRuns>
        )}
      </Match>
    </Switch>
  )
}

/** The whole app: which address shows which page. */
export function App() {
  // Exported pages have no server that would answer for other addresses.
  const AnyRouter = isExport ? HashRouter : Router
  return (
    <AnyRouter root={Root}>
      <Route path="/" component={FirstRun} />
      <Route path="/api" component={Reference} />
      <Route path="/:run" component={ofRun(Overview)} />
      <Route path="/:run/features" component={ofRun(Browse)} />
      <Route path="/:run/features/:feature" component={ofRun(Feature)} />
      <Route path="/:run/map" component={ofRun(MapPage)} />
      <Route path="/:run/text" component={ofRun(TextLab)} />
      <Route path="/:run/steer" component={ofRun(SteerLab)} />
      <Route path="*" component={NotFound} />
    </AnyRouter>
  )
}
