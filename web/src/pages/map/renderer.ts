import { createCanvasRenderer } from './canvas-renderer'
import type { Renderer } from './scene'
import { createWebglRenderer } from './webgl-renderer'

/**
 * WebGL 2 where there is one, else the 2D canvas.
 * @param plain asks for the 2D canvas at once
 */
export function createRenderer(canvas: HTMLCanvasElement, onRestored: () => void, plain: boolean): Renderer {
  return (plain ? null : createWebglRenderer(canvas, onRestored)) ?? createCanvasRenderer(canvas)
}
