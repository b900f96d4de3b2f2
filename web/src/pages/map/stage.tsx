import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show } from 'solid-js'
import { type Camera, cameraOf, type Placement, placementOf, type Size, wholeMap } from './camera'
import { placeLabels } from './labels'
import { createLasso } from './lasso'
import { createNavigation, type Navigation } from './navigation'
import { type MapPoints, nearestPoint, pointsInside } from './points'
import { createRenderer } from './renderer'
import { pointDiameter, type Renderer, type Scene } from './scene'
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

/** Points this near to the pointer are meant, CSS pixels; from the keyboard the middle of the map points, less exactly. */
const near = { pointer: 12, keyboard: 40 }

/** Pixels of one arrow key. */
const step = 60

/** The map itself: the points, what lies over them, and what pointers and keys do. */
export function Stage(props: StageProps) {
  let element!: HTMLDivElement
  let canvas!: HTMLCanvasElement
  let renderer: Renderer | undefined
  let navigation: Navigation | undefined
  let waiting = 0
  const [size, setSize] = createSignal<Size>({ width: 600, height: 400 })
  const extent = () => props.points.extent
  const [placement, setPlacement] = createSignal(placementOf(props.camera, size(), extent()))
  const [hovered, setHovered] = createSignal<number>()
  const [byKeys, setByKeys] = createSignal(false)
  const [kind, setKind] = createSignal<Renderer['kind']>()
  const zoom = () => cameraOf(placement(), size(), extent()).zoom
  const diameter = () => pointDiameter(props.points.map.feature.length, zoom(), size())

  const draw = () => {
    waiting = 0
    const ratio = window.devicePixelRatio
    const { width, height } = size()
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)]
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high })
    performance.mark('map-draw')
    renderer?.draw({ placement: placement(), size: size(), ratio, diameter: diameter() })
    performance.measure('map-draw', 'map-draw')
    performance.clearMarks('map-draw')
    canvas.dataset.drawn = renderer?.kind
  }
  const redraw = () => {
    if (waiting === 0) waiting = requestAnimationFrame(draw)
  }

  const at = (x: number, y: number): [number, number] => {
    const { x: left, y: top, scale } = placement()
    return [(x - left) / scale, (y - top) / scale]
  }
  const pointAt = (x: number, y: number, radius: number) =>
    nearestPoint(props.points, ...at(x, y), radius / placement().scale)
  const position = (event: MouseEvent): [number, number] => {
    const box = element.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const lasso = createLasso({
    position,
    starts: (event) => props.lassoing || event.shiftKey,
    onEnd: (line) =>
      props.onLasso(
        pointsInside(
          props.points,
          line.map(([x, y]) => at(x, y)),
        ),
      ),
  })

  const moved = (to: Placement) => {
    setPlacement(to)
    if (byKeys()) setHovered(pointAt(size().width / 2, size().height / 2, near.keyboard))
    else setHovered(undefined)
    redraw()
    props.onCamera(cameraOf(to, size(), extent()))
  }
  onMount(() => {
    renderer = createRenderer(canvas, redraw, props.plain)
    setKind(renderer.kind)
    navigation = createNavigation(element, {
      size,
      extent,
      lassoing: () => props.lassoing,
      onMove: moved,
    })
    props.control((camera) => navigation?.goTo(camera))
    let camera: Camera | undefined = props.camera
    const observer = new ResizeObserver(([{ contentRect }]) => {
      camera ??= cameraOf(placement(), size(), extent())
      setSize({ width: Math.max(contentRect.width, 1), height: Math.max(contentRect.height, 1) })
      navigation?.goTo(camera)
      camera = undefined
    })
    observer.observe(element)
    onCleanup(() => {
      observer.disconnect()
      cancelAnimationFrame(waiting)
      renderer?.close()
    })
  })
  createEffect(() => {
    const scene = props.scene
    kind()
    renderer?.setScene(scene)
    redraw()
  })

  const keys: Record<string, () => void> = {
    ArrowLeft: () => navigation?.panBy(-step, 0),
    ArrowRight: () => navigation?.panBy(step, 0),
    ArrowUp: () => navigation?.panBy(0, -step),
    ArrowDown: () => navigation?.panBy(0, step),
    '+': () => navigation?.zoomBy(1.5),
    '=': () => navigation?.zoomBy(1.5),
    '-': () => navigation?.zoomBy(1 / 1.5),
    '0': () => navigation?.goTo(wholeMap),
    Enter: () => open(hovered()),
  }
  const onKey = (event: KeyboardEvent) => {
    const act = keys[event.key]
    if (!act || event.ctrlKey || event.metaKey || event.altKey || event.target !== element) return
    event.preventDefault()
    setByKeys(true)
    act()
  }
  const open = (point: number | undefined) => {
    if (point !== undefined) props.onOpen(point)
  }
  const hover = (event: PointerEvent) => {
    if (lasso.move(event) || event.buttons !== 0) return
    setByKeys(false)
    setHovered(pointAt(...position(event), near.pointer))
  }
  /** A finger cannot hover: its first tap shows the point, the next opens it. */
  const press = (event: MouseEvent) => {
    if (props.lassoing || event.shiftKey) return
    const point = pointAt(...position(event), near.pointer)
    const touch = (event as PointerEvent).pointerType === 'touch'
    const seen = hovered()
    setHovered(point)
    if (!touch || seen === point) open(point)
  }
  const labels = createMemo(() =>
    props.labels ? placeLabels(props.points, placement(), size(), zoom()) : [],
  )
  const screen = (point: number) => {
    const { x, y, scale } = placement()
    const { places } = props.points
    return { x: x + scale * places[2 * point], y: y + scale * places[2 * point + 1] }
  }
  const ring = (point: number) => {
    const { x, y } = screen(point)
    return { transform: `translate(${x}px, ${y}px)` }
  }
  return (
    <div class="map-frame">
      <div
        ref={element}
        class="map-stage"
        classList={{ lassoing: props.lassoing, pointing: hovered() !== undefined }}
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move and zoom the map
        tabIndex={0}
        aria-label="Map. Arrow keys move it, plus and minus zoom, 0 shows all, Enter opens the feature in the middle."
        onKeyDown={onKey}
        onPointerDown={(event) => lasso.start(event)}
        onPointerMove={hover}
        onPointerUp={(event) => lasso.end(event)}
        onPointerCancel={() => lasso.cancel()}
        onPointerLeave={() => !byKeys() && setHovered(undefined)}
        onClick={press}
        onBlur={() => byKeys() && setHovered(undefined)}
      >
        <canvas ref={canvas} role="img" aria-label={props.description} />
        <div class="map-labels" aria-hidden="true">
          <For each={labels()}>
            {({ name, x, y }) => (
              <span
                class="map-label"
                style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}
              >
                <bdi dir="ltr">{name}</bdi>
              </span>
            )}
          </For>
        </div>
        <svg class="map-lasso" aria-hidden="true">
          <polygon points={lasso.line().map(String).join(' ')} />
        </svg>
        <Show when={props.marked !== undefined}>
          <div class="map-cross" style={ring(props.marked as number)} aria-hidden="true" />
        </Show>
        <Show when={hovered() !== undefined}>
          <div class="map-ring" style={ring(hovered() as number)} aria-hidden="true" />
        </Show>
        <Show when={byKeys()}>
          <div class="map-middle" aria-hidden="true" />
        </Show>
        <Tip
          run={props.run}
          map={props.points.map}
          point={hovered()}
          place={hovered() === undefined ? { x: 0, y: 0 } : screen(hovered() as number)}
          size={size()}
        />
      </div>
      <div class="map-zoom">
        <button type="button" aria-label="Zoom in" onClick={() => navigation?.zoomBy(1.5)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => navigation?.zoomBy(1 / 1.5)}>
          −
        </button>
        <button type="button" aria-label="Show the whole map" onClick={() => navigation?.goTo(wholeMap)}>
          ⤢
        </button>
      </div>
    </div>
  )
}
