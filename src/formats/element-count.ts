/** Elements of a tensor of this shape; [] is a scalar. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
