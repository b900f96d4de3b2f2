/** Strides, in elements, of a row-major tensor: those of the last axis are 1. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]
  }
  return strides
}

/** Whether the elements stand in row-major order without gaps. Axes of size 1 may have any stride. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  const wanted = rowMajorStrides(shape)
  return shape.every((size, axis) => size === 1 || strides[axis] === wanted[axis])
}

/** How far behind the first element the last one stands, in elements; -1 for a tensor without elements. */
export function reach(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return -1
  return shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0)
}

/**
 * Copies a strided tensor into row-major order.
 * @param strides step to the next element of each axis, in elements, not negative
 * @param offset where the first element stands in `source`; the caller has checked with `reach` that all are inside
 */
export function copyStrided<T extends { [index: number]: unknown }>(
  source: T,
  target: T,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): void {
  if (shape.length === 0) {
    target[0] = source[offset]
    return
  }
  const last = shape.length - 1
  let to = 0
  const copyAxis = (axis: number, from: number): void => {
    const size = shape[axis]
    const stride = strides[axis]
    if (axis === last) for (let i = 0; i < size; i++) target[to++] = source[from + i * stride]
    else for (let i = 0; i < size; i++) copyAxis(axis + 1, from + i * stride)
  }
  copyAxis(0, offset)
}
