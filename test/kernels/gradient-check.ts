import assert from 'node:assert/strict'
import type { Kernels, Tensor } from '../../src/kernels/kernels.js'

/** sum of a * b: a scalar loss whose gradient with respect to a is b. */
export const dotProduct = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** Central differences of a loss by every value of an array, which is changed and put back. */
export async function finiteDifferences(
  values: Float32Array | Float64Array,
  loss: () => number | Promise<number>,
  step: number,
): Promise<Float64Array> {
  const gradient = new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const before = values[i]
    values[i] = before + step
    const [above, lossAbove] = [values[i], await loss()]
    values[i] = before - step
    const [below, lossBelow] = [values[i], await loss()]
    values[i] = before
    gradient[i] = (lossAbove - lossBelow) / (above - below)
  }
  return gradient
}

/** Fails with the name, the index and both values when two arrays differ by more than a part of their largest value. */
export function expectClose(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  assert.equal(actual.length, expected.length, `${name}: length`)
  const scale = Array.from(expected).reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6)
  for (let i = 0; i < actual.length; i++) {
    const message = `${name}[${i}] is ${actual[i]}, expected ${expected[i]} (scale ${scale})`
    assert.ok(Math.abs(actual[i] - expected[i]) <= tolerance * scale, message)
  }
}

/**
 * Compares the gradient that a backward operation left in `gradient` with central differences of the forward loss
 * by the tensor `t`.
 */
export async function expectGradient(
  kernels: Kernels,
  name: string,
  t: Tensor,
  gradient: Tensor,
  loss: () => Promise<number>,
): Promise<void> {
  const values = await kernels.readF32(t)
  const expected = await finiteDifferences(
    values,
    () => {
      kernels.write(t, values)
      return loss()
    },
    2 ** -7,
  )
  kernels.write(t, values)
  expectClose(name, await kernels.readF32(gradient), expected, 2e-3)
}
