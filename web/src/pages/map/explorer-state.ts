import { useSearchParams } from '@solidjs/router'
import { createEffect, createMemo, createResource, createSignal, on, onCleanup } from 'solid-js'
import { getFeatures } from '../../api'
import { colour } from '../../theme'
import { type Camera, cameraText, parseCamera, wholeMap } from './camera'
import { type Colouring, colourings, colourPoints, paletteOf, parts } from './colouring'
import { type MapPoints, pointsOfCluster } from './points'
import { marks, type Scene } from './scene'
import type { List } from './side'

type Address = { colour?: string; q?: string; at?: string; feature?: string; renderer?: string }

/** Zoom at which one feature is shown. */
const closeUp = 8

/** Milliseconds of rest before the address follows the map. */
const rest = 300

/** The search of the address: its hits are marked. */
function createSearch(run: string, points: MapPoints, q: () => string | undefined) {
  const [hits, { refetch }] = createResource(
    () => q()?.trim().slice(0, 200),
    (q) => getFeatures(run, { q, limit: 500 }),
  )
  /** Read in this way, a search that is on its way does not hide the page. */
  const found = () =>
    q() && (hits.state === 'ready' || hits.state === 'refreshing') ? hits.latest : undefined
  return {
    found,
    refetch,
    error: () => (q() ? hits.error : undefined),
    points: () => found()?.items.flatMap(({ feature }) => points.pointOf.get(feature) ?? []),
  }
}

/** The marks of all points: search hits and selected ones stand out. */
function markPoints(count: number, hits: readonly number[] | undefined, selected: readonly number[]) {
  const of = new Uint8Array(count).fill(hits ? marks.faded : marks.plain)
  for (const point of hits ?? []) of[point] = marks.hit
  for (const point of selected) of[point] = marks.selected
  return of
}

/** Lets the address follow the camera, and the camera the feature of the address. */
function createCameraMemory(points: MapPoints, params: Address, setAddress: (change: Address) => void) {
  let go: (camera: Camera) => void = () => {}
  let timer: ReturnType<typeof setTimeout> | undefined
  const focus = () => points.pointOf.get(params.feature === undefined ? Number.NaN : Number(params.feature))
  const closeTo = (point: number): Camera => ({
    x: points.places[2 * point],
    y: points.places[2 * point + 1],
    zoom: closeUp,
  })
  const show = () => {
    const point = focus()
    if (point !== undefined) go(closeTo(point))
  }
  createEffect(on(() => params.feature, show, { defer: true }))
  onCleanup(() => clearTimeout(timer))
  const point = focus()
  return {
    focus,
    show,
    first: parseCamera(params.at) ?? (point === undefined ? wholeMap : closeTo(point)),
    go: (camera: Camera) => go(camera),
    control(move: (camera: Camera) => void) {
      go = move
    },
    remember(camera: Camera) {
      clearTimeout(timer)
      timer = setTimeout(() => {
        if (cameraText(camera) !== params.at) setAddress({ at: cameraText(camera) })
      }, rest)
    },
  }
}

/** What the map shows and marks. Colour, search, view and feature stand in the address. */
export function createExplorer(run: string, points: MapPoints) {
  const [params, setParams] = useSearchParams<Address>()
  const setAddress = (change: Address) => setParams(change, { replace: true, scroll: false })
  const [selected, setSelected] = createSignal<number[]>([])
  const [lassoing, setLassoing] = createSignal(false)
  const [labels, setLabels] = createSignal(true)
  const [list, setList] = createSignal<List>(params.q ? 'hits' : 'clusters')
  const search = createSearch(run, points, () => params.q)
  const camera = createCameraMemory(points, params, setAddress)
  const by = (): Colouring => colourings.find((name) => name === params.colour) ?? 'density'
  const coloured = createMemo(() => colourPoints(points.map, by()))
  const palette = createMemo(() => paletteOf(by()))
  const marked = createMemo(() => markPoints(points.map.feature.length, search.points(), selected()))
  const scene = (): Scene => ({
    places: points.places,
    colours: coloured().colours,
    marks: marked(),
    palette: palette(),
    ring: parts(colour('text')),
  })
  const select = (chosen: number[]) => {
    setSelected(chosen)
    setList('selected')
    setLassoing(false)
  }
  return {
    ...{ params, selected, setSelected, lassoing, setLassoing, labels, setLabels, list, setList },
    ...{ search, camera, by, coloured, scene, select },
    selectCluster: (cluster: number) => select(pointsOfCluster(points, cluster)),
    showCluster(cluster: number) {
      const at = points.map.clusters.findIndex((row) => row.cluster === cluster)
      const [x, y] = points.clusterPlaces.subarray(2 * at, 2 * at + 2)
      camera.go({ x, y, zoom: closeUp / 2 })
    },
    showPoint(point: number) {
      const feature = String(points.map.feature[point])
      if (params.feature === feature) camera.show()
      else setAddress({ feature })
    },
    setColour: (by: Colouring) => setAddress({ colour: by === 'density' ? undefined : by }),
    setSearch(q: string) {
      setAddress({ q: q || undefined })
      setList(q ? 'hits' : 'clusters')
    },
  }
}
