import { HashRouter, Navigate, Route, Router, useParams } from '@solidjs/router'
import { createResource, ErrorBoundary, type JSX, lazy, Match, Show, Suspense, Switch } from 'solid-js'
import { getRuns } from './api'
import { Failure } from './components/failure'
import { Shell } from './components/shell'
import { usePage } from './page'
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

// The code of the first page comes beside the list of runs, not after it.
if (/^\/[^/]*$/.test(location.pathname)) void Overview.preload()
if (/^\/[^/]+\/features$/.test(location.pathname)) void Browse.preload()

/** Said while the code of a page comes; its place is kept. */
const Loading = () => <div class="page-loading" role="status" aria-label="Loading" />

/** A page with its title; what fails on it is said in its place. */
const page = (title: (feature: string | undefined) => string, Page: () => JSX.Element) => () => {
  const params = useParams<{ run?: string; feature?: string }>()
  usePage(() => [title(params.feature), params.run])
  return (
    <ErrorBoundary fallback={(error, reset) => <Failure error={error} retry={reset} />}>
      <Suspense fallback={<Loading />}>
        <Page />
      </Suspense>
    </ErrorBoundary>
  )
}

/** A page of one run: its address may name one that is not served. */
const ofRun = (title: (feature: string | undefined) => string, Page: () => JSX.Element) => {
  const Found = page(title, Page)
  return () => {
    const run = useRun()
    return (
      <Show when={run()} fallback={<Nowhere />} keyed>
        <Found />
      </Show>
    )
  }
}

const Nowhere = page(() => 'Nothing is here', NotFound)

const FirstRun = () => <Navigate href={address.overview(useRuns()()[0].run)} />

const Root = (props: { children?: JSX.Element }) => {
  const [list, { refetch }] = createResource(getRuns)
  return (
    <Switch fallback={<Loading />}>
      <Match when={list.error}>
        <main>
          <Failure error={list.error} retry={refetch} />
        </main>
      </Match>
      <Match when={list()}>
        {(found) => (
          <ProvideRuns runs={found().runs}>
            <Shell>{props.children}</Shell>
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
      <Route path="/api" component={page(() => 'API', Reference)} />
      <Route path="/:run" component={ofRun(() => 'Overview', Overview)} />
      <Route path="/:run/features" component={ofRun(() => 'Features', Browse)} />
      <Route path="/:run/features/:feature" component={ofRun((feature) => `Feature ${feature}`, Feature)} />
      <Route path="/:run/map" component={ofRun(() => 'Map', MapPage)} />
      <Route path="/:run/text" component={ofRun(() => 'Text lab', TextLab)} />
      <Route path="/:run/steer" component={ofRun(() => 'Steer lab', SteerLab)} />
      <Route path="*" component={Nowhere} />
    </AnyRouter>
  )
}
