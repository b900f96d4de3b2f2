import type { AttentionOptions, Kernels, Tensor } from '../kernels/kernels.js'

/*
 * The attention kernel computes the pattern and its use in one go. When a hook changes the pattern in
 * between, the use is done again here, head by head from matrix products, which only runs with such a
 * hook pay.
 *
 *   z[b, :, head h] = pattern[b, h] v[b, :, key head of h]
 *
 * Shapes: B sequences, T positions, H query heads, G key heads, W head width.
 */

type Heads = Pick<AttentionOptions, 'heads' | 'keyValueHeads'>

/** The key head that query head h reads. */
export const keyHead = (h: number, { heads, keyValueHeads }: Heads): number =>
  Math.floor((h * keyValueHeads) / heads)

/**
 * z = pattern applied to the values.
 * z [B*T, H*W], v [B*T, G*W], pattern [B, H, T, T]
 */
export function mixValues(kernels: Kernels, z: Tensor, pattern: Tensor, v: Tensor, options: Heads): void {
  const [B, H, T] = pattern.shape
  const width = z.shape[1] / H
  const [vHead, zHead] = [kernels.zeros([B * T, width]), kernels.zeros([B * T, width])]
  const part = kernels.zeros(z.shape)
  kernels.fill(z, 0)
  for (let h = 0; h < H; h++) {
    const [source, target] = [
      headColumns(kernels, v.shape[1], width, keyHead(h, options)),
      headColumns(kernels, z.shape[1], width, h),
    ]
    kernels.linearForward(vHead, v, source, null)
    for (let b = 0; b < B; b++)
      kernels.linearForward(
        sequence(kernels, zHead, b, T),
        head(kernels, pattern, b, h),
        sequence(kernels, vHead, b, T),
        null,
      )
    kernels.linearTransposedForward(part, zHead, target)
    kernels.addInPlace(z, part)
    for (const t of [source, target]) kernels.free(t)
  }
  for (const t of [vHead, zHead, part]) kernels.free(t)
}

/**
 * Gradients of `mixValues`, both overwritten.
 * dPattern, pattern [B, H, T, T], dv, v [B*T, G*W], dz [B*T, H*W]
 */
export function mixValuesBackward(
  kernels: Kernels,
  dPattern: Tensor,
  dv: Tensor,
  dz: Tensor,
  pattern: Tensor,
  v: Tensor,
  options: Heads,
): void {
  const [B, H, T] = pattern.shape
  const width = dz.shape[1] / H
  const [vHead, dvHead, dzHead] = [1, 2, 3].map(() => kernels.zeros([B * T, width]))
  const part = kernels.zeros(v.shape)
  kernels.fill(dv, 0)
  for (let h = 0; h < H; h++) {
    const [source, target] = [
      headColumns(kernels, v.shape[1], width, keyHead(h, options)),
      headColumns(kernels, dz.shape[1], width, h),
    ]
    kernels.linearForward(vHead, v, source, null)
    kernels.linearForward(dzHead, dz, target, null)
    kernels.fill(dvHead, 0)
    for (let b = 0; b < B; b++) {
      const [dPatternHead, patternHead] = [head(kernels, dPattern, b, h), head(kernels, pattern, b, h)]
      const [dzRows, vRows] = [sequence(kernels, dzHead, b, T), sequence(kernels, vHead, b, T)]
      kernels.linearBackward(dPatternHead, sequence(kernels, dvHead, b, T), null, dzRows, patternHead, vRows)
    }
    kernels.linearTransposedForward(part, dvHead, source)
    kernels.addInPlace(dv, part)
    for (const t of [source, target]) kernels.free(t)
  }
  for (const t of [vHead, dvHead, dzHead, part]) kernels.free(t)
}

/** The matrix [heads * W, W] that picks the columns of one head. */
function headColumns(kernels: Kernels, columns: number, width: number, h: number): Tensor {
  const matrix = new Float32Array(columns * width)
  for (let c = 0; c < width; c++) matrix[(h * width + c) * width + c] = 1
  return kernels.tensor(matrix, [columns, width])
}

/** Rows of sequence b: [T, columns] of [B*T, columns] */
const sequence = (kernels: Kernels, t: Tensor, b: number, length: number): Tensor =>
  kernels.rows(t, b * length, length)

/** One head's matrix: [T, T] of [B, H, T, T] */
function head(kernels: Kernels, pattern: Tensor, b: number, h: number): Tensor {
  const [B, H, T] = pattern.shape
  return kernels.rows(kernels.reshape(pattern, [B * H * T, T]), (b * H + h) * T, T)
}
