import { createSignal } from 'solid-js'
import { wholeMap } from './camera'
import type { MapView } from './map-view'
import { type MapPoints, nearestPoint } from './points'

export interface PointingOptions {
  view: MapView
  points: MapPoints
  /** of a pointer on the map, CSS pixels */
  position: (event: MouseEvent) => [number, number]
  onOpen: (point: number) => void
}

/** Points this near to the pointer are meant, CSS pixels; from the keyboard the middle of the map points, less exactly. */
const near = { pointer: 12, keyboard: 40 }

/** Pixels of one arrow key, and zoom of one plus. */
const step = 60
const factor = 1.5

/** Which point is meant, by the pointer or by the keys that move the map under its middle; and opening it. */
export function createPointing({ view, points, position, onOpen }: PointingOptions) {
  const [hovered, setHovered] = createSignal<number>()
  const [byKeys, setByKeys] = createSignal(false)
  const [byTouch, setByTouch] = createSignal(false)
  const pointAt = (x: number, y: number, radius: number) =>
    nearestPoint(points, ...view.at(x, y), radius / view.placement().scale)
  const open = (point: number | undefined) => {
    if (point !== undefined) onOpen(point)
  }
  const keys: Record<string, () => void> = {
    ArrowLeft: () => view.panBy(-step, 0),
    ArrowRight: () => view.panBy(step, 0),
    ArrowUp: () => view.panBy(0, -step),
    ArrowDown: () => view.panBy(0, step),
    '+': () => view.zoomBy(factor),
    '=': () => view.zoomBy(factor),
    '-': () => view.zoomBy(1 / factor),
    '0': () => view.goTo(wholeMap),
    Enter: () => open(hovered()),
  }
  return {
    hovered,
    byKeys,
    byTouch,
    /** the map has moved under what points at it */
    moved() {
      const { width, height } = view.size()
      setHovered(byKeys() ? pointAt(width / 2, height / 2, near.keyboard) : undefined)
    },
    hover(event: PointerEvent) {
      if (event.buttons !== 0) return
      setByKeys(false)
      setHovered(pointAt(...position(event), near.pointer))
    },
    leave(event: PointerEvent) {
      // A finger that is lifted leaves, but what it tapped stays named.
      if (!byKeys() && event.pointerType !== 'touch') setHovered(undefined)
    },
    blur() {
      if (byKeys()) setHovered(undefined)
      setByKeys(false)
    },
    /** A finger cannot hover: its tap names the point, and the name has a link. */
    press(event: MouseEvent) {
      if ((event.target as Element).closest('a')) return
      const point = pointAt(...position(event), near.pointer)
      const touch = (event as PointerEvent).pointerType === 'touch'
      setHovered(point)
      setByTouch(touch)
      if (!touch) open(point)
    },
    key(event: KeyboardEvent) {
      const act = keys[event.key]
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      setByKeys(true)
      act()
    },
  }
}
