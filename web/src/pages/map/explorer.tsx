import { useNavigate, useSearchParams } from '@solidjs/router'
import { createEffect, createMemo, createResource, createSignal, on, onCleanup } from 'solid-js'
import { getFeatures } from '../../api'
import { Failure } from '../../components/failure'
import { address } from '../../runs'
import { colour } from '../../theme'
import { type Camera, cameraText, parseCamera, wholeMap } from './camera'
import { colourings, colourPoints, paletteOf, parts } from './colouring'
import { Controls } from './controls'
import { Legend } from './legend'
import { type MapPoints, pointsOfCluster } from './points'
import { marks, type Scene } from './scene'
import { type List, Side } from './side'
import { Stage } from './stage'

/** Zoom at which one feature is shown. */
const closeUp = 8

/** Milliseconds of rest before the address follows the map, and before a search begins. */
const rest = 300

type Address = { colour?: string; q?: string; at?: string; feature?: string; renderer?: string }

function placeOf({ places }: MapPoints, point: number, zoom: number): Camera {
  return { x: places[2 * point], y: places[2 * point + 1], zoom }
}

/** The marks of all points: search hits and selected ones stand out. */
function markPoints(count: number, hits: readonly number[] | undefined, selected: readonly number[]) {
  const of = new Uint8Array(count).fill(hits ? marks.faded : marks.plain)
  for (const point of hits ?? []) of[point] = marks.hit
  for (const point of selected) of[point] = marks.selected
  return of
}

/** The map with its controls and lists. What it shows stands in the address. */
export function Explorer(props: { run: string; points: MapPoints }) {
  const navigate = useNavigate()
  const [params, setParams] = useSearchParams<Address>()
  const setAddress = (change: Address) => setParams(change, { replace: true, scroll: false })
  const [selected, setSelected] = createSignal<number[]>([])
  const [lassoing, setLassoing] = createSignal(false)
  const [labels, setLabels] = createSignal(true)
  const [list, setList] = createSignal<List>(params.q ? 'hits' : 'clusters')
  let go: (camera: Camera) => void = () => {}

  const by = () => colourings.find((name) => name === params.colour) ?? 'density'
  const coloured = createMemo(() => colourPoints(props.points.map, by()))
  const palette = createMemo(() => paletteOf(by()))
  const [hits, { refetch }] = createResource(
    () => params.q?.trim().slice(0, 200),
    (q) => getFeatures(props.run, { q, limit: 500 }),
  )
  const found = () => (params.q && !hits.error ? hits.latest : undefined)
  const hitPoints = () => found()?.items.flatMap(({ feature }) => props.points.pointOf.get(feature) ?? [])
  const marked = createMemo(() => markPoints(props.points.map.feature.length, hitPoints(), selected()))
  const scene = (): Scene => ({
    places: props.points.places,
    colours: coloured().colours,
    marks: marked(),
    palette: palette(),
    ring: parts(colour('text')),
  })

  const focus = () => {
    const feature = params.feature === undefined ? Number.NaN : Number(params.feature)
    return props.points.pointOf.get(feature)
  }
  const first = (): Camera => {
    const point = focus()
    return parseCamera(params.at) ?? (point === undefined ? wholeMap : placeOf(props.points, point, closeUp))
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const rememberCamera = (camera: Camera) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (cameraText(camera) !== params.at) setAddress({ at: cameraText(camera) })
    }, rest)
  }
  onCleanup(() => clearTimeout(timer))
  createEffect(
    on(
      () => params.feature,
      () => {
        const point = focus()
        if (point !== undefined) go(placeOf(props.points, point, closeUp))
      },
      { defer: true },
    ),
  )

  const select = (points: number[]) => {
    setSelected(points)
    setList('selected')
    setLassoing(false)
  }
  const showCluster = (cluster: number) => {
    const at = props.points.map.clusters.findIndex((row) => row.cluster === cluster)
    const [x, y] = [props.points.clusterPlaces[2 * at], props.points.clusterPlaces[2 * at + 1]]
    go({ x, y, zoom: closeUp / 2 })
  }
  const notOnMap = () => params.feature !== undefined && focus() === undefined
  return (
    <>
      <Controls
        by={by()}
        q={params.q ?? ''}
        rest={rest}
        lassoing={lassoing()}
        labels={labels()}
        onColour={(colour) => setAddress({ colour: colour === 'density' ? undefined : colour })}
        onSearch={(q) => {
          setAddress({ q: q || undefined })
          setList(q ? 'hits' : 'clusters')
        }}
        onLasso={setLassoing}
        onLabels={setLabels}
      />
      {hits.error && params.q ? <Failure error={hits.error} retry={refetch} /> : null}
      {notOnMap() ? (
        <p class="quiet" role="status">
          Feature {params.feature} is not on the map: it never fired, or there is none of this number.
        </p>
      ) : null}
      <div class="map-layout">
        <div class="panel map-main">
          <Stage
            run={props.run}
            points={props.points}
            scene={scene()}
            camera={first()}
            marked={focus()}
            lassoing={lassoing()}
            labels={labels()}
            plain={params.renderer === 'canvas'}
            description={`${props.points.map.feature.length.toLocaleString('en-US')} features as points; those alike lie together. The list of clusters holds the same.`}
            onCamera={rememberCamera}
            onLasso={select}
            onOpen={(point) => navigate(address.feature(props.run, props.points.map.feature[point]))}
            control={(move) => {
              go = move
            }}
          />
          <Legend points={props.points} by={by()} coloured={coloured()} />
        </div>
        <Side
          run={props.run}
          points={props.points}
          colouredByCluster={by() === 'cluster'}
          hits={found()}
          selected={selected()}
          list={list()}
          onList={setList}
          onShowPoint={(point) => setAddress({ feature: String(props.points.map.feature[point]) })}
          onShowCluster={showCluster}
          onSelectCluster={(cluster) => select(pointsOfCluster(props.points, cluster))}
          onClear={() => setSelected([])}
        />
      </div>
    </>
  )
}
