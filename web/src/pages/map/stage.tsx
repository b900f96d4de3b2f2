import { createEffect, createMemo, For, onMount, Show } from 'solid-js'
import { type Camera, wholeMap } from './camera'
import { placeLabels } from './labels'
import { createLasso } from './lasso'
import { createMapView, type MapView } from './map-view'
import { createPointing } from './pointing'
import { type MapPoints, pointsInside } from './points'
import type { Scene } from './scene'
import { Tip } from './tip'

export interface StageProps {
  run: string
  points: MapPoints
  scene: Scene
  /** what is seen first */
  camera: Camera
  /** point with a cross around it */
  marked: number | undefined
  lassoing: boolean
  labels: boolean
  /** the 2D canvas even where there is WebGL */
  plain: boolean
  description: string
  onCamera: (camera: Camera) => void
  onLasso: (points: number[]) => void
  onOpen: (point: number) => void
  /** given once: what moves the map from outside */
  control: (go: (camera: Camera) => void) => void
}

/** What draws, points and encircles on one map. */
function createStage(props: StageProps, element: () => HTMLElement) {
  const position = (event: MouseEvent): [number, number] => {
    const box = element().getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const { points, camera, plain, onOpen } = props
  const lassoing = () => props.lassoing
  const onMove = (camera: Camera) => {
    pointing.moved()
    props.onCamera(camera)
  }
  const view = createMapView({ points, camera, plain, lassoing, onMove })
  const pointing = createPointing({ view, points, position, onOpen })
  const lasso = createLasso({
    position,
    starts: (event) => props.lassoing || event.shiftKey,
    onEnd: (line) =>
      props.onLasso(
        pointsInside(
          points,
          line.map(([x, y]) => view.at(x, y)),
        ),
      ),
  })
  return { view, pointing, lasso }
}

/** The map itself: the points, what lies over them, and what pointers and keys do. */
export function Stage(props: StageProps) {
  let element!: HTMLDivElement
  let canvas!: HTMLCanvasElement
  const { view, pointing, lasso } = createStage(props, () => element)
  onMount(() => {
    view.attach(element, canvas)
    props.control(view.goTo)
  })
  createEffect(() => view.setScene(props.scene))
  return (
    <div class="map-frame">
      <div
        ref={element}
        class="map-stage"
        classList={{ lassoing: props.lassoing, pointing: pointing.hovered() !== undefined }}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move and zoom the map
        tabIndex={0}
        aria-label="Map. Arrow keys move it, plus and minus zoom, 0 shows all, Enter opens the feature in the middle."
        onKeyDown={pointing.key}
        onPointerDown={(event) => lasso.start(event)}
        onPointerMove={(event) => lasso.move(event) || pointing.hover(event)}
        onPointerUp={(event) => lasso.end(event)}
        onPointerCancel={() => lasso.cancel()}
        onPointerLeave={pointing.leave}
        onClick={(event) => !props.lassoing && !event.shiftKey && pointing.press(event)}
        onBlur={pointing.blur}
      >
        <canvas ref={canvas} role="img" aria-label={props.description} />
        <Show when={props.labels}>
          <Labels points={props.points} view={view} />
        </Show>
        <svg class="map-lasso" aria-hidden="true">
          <polygon points={lasso.line().map(String).join(' ')} />
        </svg>
        <Ring class="map-cross" point={props.marked} view={view} />
        <Ring class="map-ring" point={pointing.hovered()} view={view} />
        <Show when={pointing.byKeys()}>
          <div class="map-middle" aria-hidden="true" />
        </Show>
        <Tip
          run={props.run}
          map={props.points.map}
          point={pointing.hovered()}
          view={view}
          touched={pointing.byTouch()}
        />
      </div>
      <ZoomButtons view={view} />
    </div>
  )
}

/** A ring around a point. */
function Ring(props: { class: string; point: number | undefined; view: MapView }) {
  const place = () => {
    const { x, y } = props.view.screen(props.point ?? 0)
    return { transform: `translate(${x}px, ${y}px)` }
  }
  return (
    <Show when={props.point !== undefined}>
      <div class={props.class} style={place()} aria-hidden="true" />
    </Show>
  )
}

/** Names of clusters at their places. */
function Labels(props: { points: MapPoints; view: MapView }) {
  const labels = createMemo(() => {
    const { placement, size, camera } = props.view
    return placeLabels(props.points, placement(), size(), camera().zoom)
  })
  return (
    <div class="map-labels" aria-hidden="true">
      <For each={labels()}>
        {({ name, x, y }) => (
          <span class="map-label" style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>
            <bdi dir="ltr">{name}</bdi>
          </span>
        )}
      </For>
    </div>
  )
}

function ZoomButtons(props: { view: MapView }) {
  return (
    <div class="map-zoom">
      <button type="button" aria-label="Zoom in" onClick={() => props.view.zoomBy(1.5)}>
        +
      </button>
      <button type="button" aria-label="Zoom out" onClick={() => props.view.zoomBy(1 / 1.5)}>
        −
      </button>
      <button type="button" aria-label="Show the whole map" onClick={() => props.view.goTo(wholeMap)}>
        ⤢
      </button>
    </div>
  )
}
