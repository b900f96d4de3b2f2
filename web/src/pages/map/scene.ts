import type { Placement, Size } from './camera'

/** How a point stands out. Later ones are drawn over earlier ones. */
export const marks = { faded: 0, plain: 1, hit: 2, selected: 3 } as const

/** What is drawn. All arrays have one entry for each point, but for `places` and `palette`. */
export interface Scene {
  /** x, y of each point, map units */
  places: Float32Array
  /** of the palette */
  colours: Uint8Array
  /** see `marks` */
  marks: Uint8Array
  /** 256 colours, red, green, blue, opacity, 0 .. 255 */
  palette: Uint8Array
  /** of the ring around hits and selected points, as in the palette */
  ring: readonly number[]
}

export interface Frame {
  placement: Placement
  /** of the canvas, CSS pixels */
  size: Size
  /** device pixels of a CSS pixel */
  ratio: number
  /** diameter of a plain point, CSS pixels */
  diameter: number
  /** at most these points are drawn, those that stand out first */
  most: number
}

/** Draws points on a canvas; it draws when it is told to, and only then. */
export interface Renderer {
  kind: 'webgl2' | 'canvas2d'
  /** Takes over what changed: entries that are the same array as before are not sent again. */
  setScene(scene: Scene): void
  draw(frame: Frame): void
  close(): void
}

/** How much larger than a plain point each mark is. */
export const markSizes = [1, 1, 1.6, 1.8] as const

/** Opacity of each mark. */
export const markOpacities = [0.25, 0.85, 1, 1] as const

/** Points in the order they are drawn in: faded first, selected last. */
export function drawingOrder(marks: Uint8Array): Uint32Array {
  const starts = [0, 0, 0, 0, 0]
  for (const mark of marks) starts[mark + 1]++
  for (let mark = 1; mark < starts.length; mark++) starts[mark] += starts[mark - 1]
  const order = new Uint32Array(marks.length)
  marks.forEach((mark, point) => {
    order[starts[mark]++] = point
  })
  return order
}

/** Diameter of points, CSS pixels: smaller where there are many, larger nearby and on a large canvas. */
export function pointDiameter(points: number, zoom: number, { width, height }: Size): number {
  const room = Math.min(Math.max(Math.min(width, height) / 700, 0.7), 1.6)
  const all = Math.min(Math.max((room * 260) / Math.sqrt(Math.max(points, 1)), 1.6), 7)
  return Math.min(all * Math.max(zoom, 1) ** 0.45, 16)
}
