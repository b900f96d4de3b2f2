import { useNavigate } from '@solidjs/router'
import { Show } from 'solid-js'
import { Failure } from '../../components/failure'
import { address } from '../../runs'
import { Controls } from './controls'
import { createExplorer } from './explorer-state'
import { Legend } from './legend'
import type { MapPoints } from './points'
import { Side } from './side'
import { Stage } from './stage'

/** The map with its controls and lists. */
export function Explorer(props: { run: string; points: MapPoints }) {
  const navigate = useNavigate()
  const state = createExplorer(props.run, props.points)
  const { params, search, camera } = state
  const count = () => props.points.map.feature.length.toLocaleString('en-US')
  return (
    <>
      <Controls
        by={state.by()}
        q={params.q ?? ''}
        lassoing={state.lassoing()}
        labels={state.labels()}
        onColour={state.setColour}
        onSearch={state.setSearch}
        onLasso={state.setLassoing}
        onLabels={state.setLabels}
      />
      <Show when={search.error()}>{(error) => <Failure error={error()} retry={search.refetch} />}</Show>
      <Show when={params.feature !== undefined && camera.focus() === undefined}>
        <p class="quiet" role="status">
          Feature {params.feature} is not on the map: it never fired, or there is none of this number.
        </p>
      </Show>
      <div class="map-layout">
        <div class="panel map-main">
          <Stage
            run={props.run}
            points={props.points}
            scene={state.scene()}
            camera={camera.first}
            marked={camera.focus()}
            lassoing={state.lassoing()}
            labels={state.labels()}
            plain={params.renderer === 'canvas'}
            description={`${count()} features as points; those alike lie together. The list of clusters holds the same.`}
            onCamera={camera.remember}
            onLasso={state.select}
            onOpen={(point) => navigate(address.feature(props.run, props.points.map.feature[point]))}
            control={camera.control}
          />
          <Legend points={props.points} by={state.by()} coloured={state.coloured()} />
        </div>
        <Side
          run={props.run}
          points={props.points}
          colouredByCluster={state.by() === 'cluster'}
          hits={search.found()}
          selected={state.selected()}
          list={state.list()}
          onList={state.setList}
          onShowPoint={state.showPoint}
          onShowCluster={state.showCluster}
          onSelectCluster={state.selectCluster}
          onClear={() => state.setSelected([])}
        />
      </div>
    </>
  )
}
