import { createResource, Match, Switch } from 'solid-js'
import type { FeatureMap } from '../../../src/server/protocol'
import { get } from '../api'
import { Failure } from '../components/failure'
import { useRun } from '../runs'
import { Explorer } from './map/explorer'
import { preparePoints } from './map/points'
import './map.css'

/** All features on a plane: those alike lie together. */
export default function MapPage() {
  const run = useRun()
  const name = () => run()?.run ?? ''
  const [points, { refetch }] = createResource(name, async (run) =>
    preparePoints(await get<FeatureMap>(`/runs/${run}/map`)),
  )
  return (
    <div class="map-page">
      <h1>Map of features</h1>
      <Switch fallback={<div class="map-waiting quiet">Loading the map…</div>}>
        <Match when={points.error}>
          <Failure error={points.error} retry={refetch} />
        </Match>
        <Match when={points.latest}>{(points) => <Explorer run={name()} points={points()} />}</Match>
      </Switch>
    </div>
  )
}
