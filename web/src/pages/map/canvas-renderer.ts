import { drawingOrder, type Frame, markOpacities, markSizes, type Renderer, type Scene } from './scene'

/**
 * The points to draw, those of one mark and colour together: setting a colour costs more than drawing a point.
 * @param most those that stand out first
 */
function group({ marks, colours }: Scene, most: number): Uint32Array {
  const order = drawingOrder(marks)
  const wanted = order.subarray(order.length - Math.min(most, order.length))
  return wanted.sort((a, b) => marks[a] - marks[b] || colours[a] - colours[b])
}

const css = (colour: ArrayLike<number>, at: number): string =>
  `rgb(${colour[at]} ${colour[at + 1]} ${colour[at + 2]} / ${colour[at + 3] / 255})`

function drawPoints(context: CanvasRenderingContext2D, scene: Scene, order: Uint32Array, frame: Frame): void {
  const { placement, size, diameter } = frame
  const { places, colours, marks, palette } = scene
  for (let i = 0; i < order.length; ) {
    const { [order[i]]: colour } = colours
    const { [order[i]]: mark } = marks
    const radius = (diameter * markSizes[mark] + (mark > 1 ? 3 : 0)) / 2
    context.beginPath()
    for (; i < order.length && colours[order[i]] === colour && marks[order[i]] === mark; i++) {
      const x = placement.x + placement.scale * places[2 * order[i]]
      const y = placement.y + placement.scale * places[2 * order[i] + 1]
      if (x < -radius || y < -radius || x > size.width + radius || y > size.height + radius) continue
      // Corners of such small points are not seen, and rectangles are much faster.
      if (radius < 2) context.rect(x - radius, y - radius, 2 * radius, 2 * radius)
      else {
        context.moveTo(x + radius, y)
        context.arc(x, y, radius, 0, 2 * Math.PI)
      }
    }
    context.globalAlpha = markOpacities[mark]
    context.fillStyle = css(palette, 4 * colour)
    context.fill()
    if (mark <= 1) continue
    context.strokeStyle = css(scene.ring, 0)
    context.lineWidth = 1.5
    context.stroke()
  }
}

/** The fallback where WebGL 2 is missing. */
export function createCanvasRenderer(canvas: HTMLCanvasElement): Renderer {
  const context = canvas.getContext('2d')
  let scene: Scene | null = null
  let order: Uint32Array | null = null
  return {
    kind: 'canvas2d',
    setScene(next) {
      if (scene?.marks !== next.marks || scene.colours !== next.colours) order = null
      scene = next
    },
    draw(frame) {
      if (!context || !scene) return
      const count = Math.min(frame.most, scene.marks.length)
      if (order?.length !== count) order = group(scene, count)
      context.setTransform(frame.ratio, 0, 0, frame.ratio, 0, 0)
      context.clearRect(0, 0, frame.size.width, frame.size.height)
      drawPoints(context, scene, order, frame)
    },
    close() {},
  }
}
