import type { Kernels, Tensor } from '../kernels/kernels.js'

/** One layer of the backward pass: takes the gradient of the layer's output and adds to those of its inputs and parameters. */
export type GradientStep = (gradients: Gradients) => void

/** Gradients of a backward pass under way, by name of the activation. */
export interface Gradients {
  /** by parameter name; empty where nobody wants them */
  parameters: Record<string, Tensor>
  /** The finished gradient of an activation: all layers that read it are done. */
  of(name: string): Tensor
  /** Adds what `compute` writes into the tensor that it is given. Calls may be nested where each activation has one reader. */
  add(name: string, shape: readonly number[], compute: (dx: Tensor) => void): void
  /** Adds the gradient of another activation, which is finished. */
  pass(from: string, to: string): void
}

/**
 * Gradients that start at nothing.
 * @param found where finished gradients are listed. Some share a tensor because they are equal
 * @param room the tensor that belongs to a name
 */
export function createGradients(
  kernels: Kernels,
  parameters: Record<string, Tensor>,
  found: Record<string, Tensor>,
  room: (name: string, shape: readonly number[]) => Tensor,
): Gradients {
  for (const name of Object.keys(found)) delete found[name]
  const owners = new Map<string, string>()
  const own = (name: string, shape: readonly number[]): Tensor => {
    owners.set(name, name)
    found[name] = room(`gradient of ${name}`, shape)
    return found[name]
  }
  const add = (name: string, shape: readonly number[], compute: (dx: Tensor) => void): void => {
    const before = found[name]
    if (before !== undefined && owners.get(name) === name) {
      const part = room(`gradient of ${shape.join(' x ')}`, shape)
      compute(part)
      kernels.addInPlace(before, part)
    } else {
      compute(own(name, shape))
      if (before !== undefined) kernels.addInPlace(found[name], before)
    }
  }
  return {
    parameters,
    of: (name) => found[name],
    add,
    pass(from, to) {
      const source = found[from]
      if (found[to] === undefined) {
        found[to] = source
        owners.set(to, owners.get(from) ?? from)
      } else if (owners.get(to) === to) kernels.addInPlace(found[to], source)
      else add(to, source.shape, (dx) => kernels.copy(dx, source))
    },
  }
}
