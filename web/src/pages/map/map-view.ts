import { createSignal, onCleanup } from 'solid-js'
import { type Camera, cameraOf, type Placement, placementOf, type Size } from './camera'
import { createNavigation, type Navigation } from './navigation'
import { createPace } from './pace'
import type { MapPoints } from './points'
import { createRenderer } from './renderer'
import { pointDiameter, type Renderer, type Scene } from './scene'

export interface MapViewOptions {
  points: MapPoints
  /** what is seen first */
  camera: Camera
  /** the 2D canvas even where there is WebGL */
  plain: boolean
  lassoing: () => boolean
  onMove: (camera: Camera) => void
}

export type MapView = ReturnType<typeof createMapView>

/** Milliseconds without a movement after which all points are drawn. */
const stillness = 120

/** The canvas and what part of the map it shows. It is drawn when something changed, once a frame. */
export function createMapView({ points, camera: first, plain, lassoing, onMove }: MapViewOptions) {
  const [size, setSize] = createSignal<Size>({ width: 600, height: 400 })
  const [placement, setPlacement] = createSignal(placementOf(first, size(), points.extent))
  const camera = () => cameraOf(placement(), size(), points.extent)
  const count = points.map.feature.length
  const pace = createPace(count)
  let parts: { renderer: Renderer; canvas: HTMLCanvasElement; navigation: Navigation } | undefined
  let scene: Scene | undefined
  let waiting = 0
  let moving: ReturnType<typeof setTimeout> | undefined

  const draw = (now: number) => {
    waiting = 0
    if (!parts) return
    if (moving !== undefined) pace.frame(now)
    const ratio = window.devicePixelRatio
    fitCanvas(parts.canvas, size(), ratio)
    performance.mark('map-draw')
    parts.renderer.draw({
      placement: placement(),
      size: size(),
      ratio,
      diameter: pointDiameter(count, camera().zoom, size()),
      most: moving === undefined ? count : pace.budget(),
    })
    performance.measure('map-draw', 'map-draw')
    performance.clearMarks('map-draw')
    parts.canvas.dataset.drawn = parts.renderer.kind
  }
  const redraw = () => {
    if (waiting === 0) waiting = requestAnimationFrame(draw)
  }
  const moved = (to: Placement) => {
    setPlacement(to)
    clearTimeout(moving)
    moving = setTimeout(() => {
      moving = undefined
      pace.rest()
      redraw()
    }, stillness)
    redraw()
    onMove(camera())
  }
  const attach = (element: HTMLElement, canvas: HTMLCanvasElement) => {
    const navigation = createNavigation(element, {
      size,
      extent: () => points.extent,
      lassoing,
      onMove: moved,
    })
    const renderer = createRenderer(canvas, redraw, plain)
    parts = { renderer, canvas, navigation }
    if (scene) renderer.setScene(scene)
    let next: Camera | undefined = first
    const observer = new ResizeObserver(([{ contentRect }]) => {
      const kept = next ?? camera()
      next = undefined
      setSize({ width: Math.max(contentRect.width, 1), height: Math.max(contentRect.height, 1) })
      navigation.goTo(kept)
    })
    observer.observe(element)
    onCleanup(() => {
      observer.disconnect()
      cancelAnimationFrame(waiting)
      clearTimeout(moving)
      renderer.close()
      parts = undefined
    })
  }
  return {
    size,
    placement,
    camera,
    attach,
    setScene(next: Scene) {
      scene = next
      parts?.renderer.setScene(next)
      redraw()
    },
    goTo: (camera: Camera) => parts?.navigation.goTo(camera),
    panBy: (x: number, y: number) => parts?.navigation.panBy(x, y),
    zoomBy: (factor: number) => parts?.navigation.zoomBy(factor),
    /** map units of a place on the canvas */
    at(x: number, y: number): [number, number] {
      const { x: left, y: top, scale } = placement()
      return [(x - left) / scale, (y - top) / scale]
    },
    /** CSS pixels of a point; tracked */
    screen(point: number): { x: number; y: number } {
      const { x, y, scale } = placement()
      return { x: x + scale * points.places[2 * point], y: y + scale * points.places[2 * point + 1] }
    },
  }
}

function fitCanvas(canvas: HTMLCanvasElement, { width, height }: Size, ratio: number): void {
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high })
}
