import { select } from 'd3-selection'
import { type D3ZoomEvent, zoom, zoomIdentity, zoomTransform } from 'd3-zoom'
import {
  type Camera,
  fitScale,
  largestZoom,
  type Placement,
  placementOf,
  type Size,
  smallestZoom,
} from './camera'
import type { Extent } from './points'

export interface NavigationOptions {
  size: () => Size
  extent: () => Extent
  /** whether a drag draws a lasso and does not move the map */
  lassoing: () => boolean
  /** after each move */
  onMove: (placement: Placement) => void
}

/** Moves the map: wheel, drag, pinch and double click by d3-zoom, and what keys and buttons ask for. */
export interface Navigation {
  goTo(camera: Camera): void
  /** in CSS pixels: the map moves the other way */
  panBy(x: number, y: number): void
  zoomBy(factor: number): void
}

const calm = matchMedia('(prefers-reduced-motion: reduce)')

export function createNavigation(element: HTMLElement, options: NavigationOptions): Navigation {
  const { size, extent, lassoing, onMove } = options
  const behaviour = zoom<HTMLElement, unknown>()
    .extent(() => [
      [0, 0],
      [size().width, size().height],
    ])
    .scaleExtent([smallestZoom, largestZoom])
    .clickDistance(4)
    .duration(calm.matches ? 0 : 200)
    .filter((event: MouseEvent) =>
      event.type === 'wheel' ? true : !event.ctrlKey && !event.button && !event.shiftKey && !lassoing(),
    )
    .on('zoom', ({ transform }: D3ZoomEvent<HTMLElement, unknown>) =>
      onMove({ x: transform.x, y: transform.y, scale: transform.k * fitScale(size(), extent()) }),
    )
  const selection = select(element).call(behaviour)
  return {
    goTo(camera) {
      const { width, height } = size()
      const scale = fitScale(size(), extent())
      // Every point may come to the middle, and no further.
      const reach = (map: number, seen: number) => (scale * map + seen / smallestZoom) / 2 + 1
      const right = reach(extent().width, width)
      const bottom = reach(extent().height, height)
      behaviour.translateExtent([
        [-right, -bottom],
        [right, bottom],
      ])
      const { x, y } = placementOf(camera, size(), extent())
      behaviour.transform(selection, zoomIdentity.translate(x, y).scale(camera.zoom))
    },
    panBy(x, y) {
      const { k } = zoomTransform(element)
      behaviour.translateBy(selection, -x / k, -y / k)
    },
    zoomBy(factor) {
      behaviour.scaleBy(selection, factor)
    },
  }
}
