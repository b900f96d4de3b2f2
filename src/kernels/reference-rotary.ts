import type { Tensor } from './kernels.js'
import { f32, indices } from './reference-tensor.js'

/** out, x [N, heads*W], positions [N], cos, sin [S, R/2] */
export function rotaryForward(
  out: Tensor,
  x: Tensor,
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
): void {
  rotate('rotaryForward', out, x, positions, cos, sin, heads, 1)
}

/** The same rotation backwards. */
export function rotaryBackward(
  dx: Tensor,
  dout: Tensor,
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
): void {
  rotate('rotaryBackward', dx, dout, positions, cos, sin, heads, -1)
}

/** (a, b) becomes (a cos - b sin, b cos + a sin), with sin times `direction`. */
function rotate(
  op: string,
  out: Tensor,
  x: Tensor,
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
  direction: 1 | -1,
): void {
  const [s, half] = cos.shape
  const width = x.shape[1] / heads
  const [outs, xs, cosines, sines] = [f32(out), f32(x), f32(cos), f32(sin)]
  outs.set(xs)
  indices(op, 'positions', positions, s).forEach((position, n) => {
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < half; i++) {
        const at = (n * heads + head) * width + i
        const [a, b] = [outs[at], outs[at + half]]
        const [c, d] = [cosines[position * half + i], direction * sines[position * half + i]]
        outs[at] = a * c - b * d
        outs[at + half] = b * c + a * d
      }
    }
  })
}
