import type { Kernels, Tensor } from '../kernels/kernels.js'

/*
 * The attention kernel computes the pattern and its use in one go. When a hook changes the pattern in
 * between, the use is done again here, from matrix products: H times the work, which only runs with such a
 * hook pay.
 *
 *   z[b, :, head h] = pattern[b, h] v[b, :, head h]
 */

/**
 * z = pattern applied to the values.
 * z, v [B*T, D], pattern [B, H, T, T]
 */
export function mixValues(kernels: Kernels, z: Tensor, pattern: Tensor, v: Tensor): void {
  const [B, H, T] = pattern.shape
  const [masks, vHead, part] = [
    headMasks(kernels, H, v.shape[1]),
    kernels.zeros(v.shape),
    kernels.zeros(v.shape),
  ]
  kernels.fill(z, 0)
  for (let h = 0; h < H; h++) {
    kernels.linearForward(vHead, v, masks[h], null)
    for (let b = 0; b < B; b++)
      kernels.linearForward(
        sequence(kernels, part, b, T),
        head(kernels, pattern, b, h),
        sequence(kernels, vHead, b, T),
        null,
      )
    kernels.addInPlace(z, part)
  }
  for (const t of [...masks, vHead, part]) kernels.free(t)
}

/**
 * Gradients of `mixValues`, both overwritten.
 * dPattern, pattern [B, H, T, T], dv, dz, v [B*T, D]
 */
export function mixValuesBackward(
  kernels: Kernels,
  dPattern: Tensor,
  dv: Tensor,
  dz: Tensor,
  pattern: Tensor,
  v: Tensor,
): void {
  const [B, H, T] = pattern.shape
  const masks = headMasks(kernels, H, v.shape[1])
  const [vHead, dvHead, part] = [kernels.zeros(v.shape), kernels.zeros(v.shape), kernels.zeros(v.shape)]
  kernels.fill(dv, 0)
  for (let h = 0; h < H; h++) {
    kernels.linearForward(vHead, v, masks[h], null)
    kernels.fill(dvHead, 0)
    for (let b = 0; b < B; b++) {
      const [dPatternHead, patternHead] = [head(kernels, dPattern, b, h), head(kernels, pattern, b, h)]
      const [dzRows, vRows] = [sequence(kernels, dz, b, T), sequence(kernels, vHead, b, T)]
      kernels.linearBackward(dPatternHead, sequence(kernels, dvHead, b, T), null, dzRows, patternHead, vRows)
    }
    // dvHead now holds pattern[b, h]^T dz for all columns; only those of head h are its own.
    kernels.linearForward(part, dvHead, masks[h], null)
    kernels.addInPlace(dv, part)
  }
  for (const t of [...masks, vHead, dvHead, part]) kernels.free(t)
}

/** H diagonal matrices [D, D]; the h-th keeps the columns of head h and clears the others. */
function headMasks(kernels: Kernels, heads: number, width: number): Tensor[] {
  const headWidth = width / heads
  return Array.from({ length: heads }, (_, h) => {
    const mask = new Float32Array(width * width)
    for (let c = h * headWidth; c < (h + 1) * headWidth; c++) mask[c * width + c] = 1
    return kernels.tensor(mask, [width, width])
  })
}

/** Rows of sequence b: [T, D] of [B*T, D] */
const sequence = (kernels: Kernels, t: Tensor, b: number, length: number): Tensor =>
  kernels.rows(t, b * length, length)

/** One head's matrix: [T, T] of [B, H, T, T] */
function head(kernels: Kernels, pattern: Tensor, b: number, h: number): Tensor {
  const [B, H, T] = pattern.shape
  return kernels.rows(kernels.reshape(pattern, [B * H * T, T]), (b * H + h) * T, T)
}
