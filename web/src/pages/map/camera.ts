import type { Extent } from './points'

/** What part of the map is seen: which place is in the middle, and how large. Zoom 1 shows everything. */
export interface Camera {
  x: number
  y: number
  zoom: number
}

/** From map units to CSS pixels of the canvas: pixel = x + scale * place. */
export interface Placement {
  x: number
  y: number
  scale: number
}

export interface Size {
  width: number
  height: number
}

export const wholeMap: Camera = { x: 0, y: 0, zoom: 1 }
export const smallestZoom = 0.8
export const largestZoom = 400

/** Space around the points at zoom 1, in CSS pixels. */
const margin = 24

/** CSS pixels of one map unit at zoom 1. */
export function fitScale({ width, height }: Size, extent: Extent): number {
  const inside = (length: number) => Math.max(length - 2 * margin, 40)
  return Math.min(inside(width) / extent.width, inside(height) / extent.height)
}

export function placementOf(camera: Camera, size: Size, extent: Extent): Placement {
  const scale = fitScale(size, extent) * camera.zoom
  return { x: size.width / 2 - scale * camera.x, y: size.height / 2 - scale * camera.y, scale }
}

export function cameraOf(placement: Placement, size: Size, extent: Extent): Camera {
  const { x, y, scale } = placement
  return {
    x: (size.width / 2 - x) / scale,
    y: (size.height / 2 - y) / scale,
    zoom: scale / fitScale(size, extent),
  }
}

/** For the address: three numbers; undefined for the whole map. */
export function cameraText({ x, y, zoom }: Camera): string | undefined {
  const text = [x.toFixed(4), y.toFixed(4), zoom.toPrecision(4)].map(Number).join(',')
  return text === '0,0,1' ? undefined : text
}

/** Reads what `cameraText` wrote; undefined where it is something else. */
export function parseCamera(text: string | undefined): Camera | undefined {
  const numbers = text?.split(',').map(Number) ?? []
  if (numbers.length !== 3 || !numbers.every(Number.isFinite)) return undefined
  const [x, y, zoom] = numbers
  const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high)
  return { x: clamp(x, -1, 1), y: clamp(y, -1, 1), zoom: clamp(zoom, smallestZoom, largestZoom) }
}
