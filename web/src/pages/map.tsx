import { createResource, Match, Switch } from 'solid-js'
import { getMap } from '../api'
import { Failure } from '../components/failure'
import { useRun } from '../runs'
import { Explorer } from './map/explorer'
import { preparePoints } from './map/points'
import './map.css'

/** All features on a plane: those alike lie together. */
export default function MapPage() {
  const run = useRun()
  const name = () => run()?.run ?? ''
  const [points, { refetch }] = createResource(name, async (run) => preparePoints(await getMap(run)))
  // Read in this way, a map that is not there yet does not hide the page.
  const loaded = () => (points.state === 'ready' || points.state === 'refreshing' ? points.latest : undefined)
  return (
    <div class="map-page">
      <h1>Map of features</h1>
      <Switch fallback={<div class="map-waiting quiet">Loading the map…</div>}>
        <Match when={points.error}>
          <Failure error={points.error} retry={refetch} />
        </Match>
        <Match when={loaded()}>{(points) => <Explorer run={name()} points={points()} />}</Match>
      </Switch>
    </div>
  )
}
