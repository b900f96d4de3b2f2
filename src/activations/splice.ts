import type { Tensor } from '../kernels/kernels.js'
import type { AsyncHook, Hook } from '../model/transformer.js'
import { reconstruct, type Sae } from '../sae/sae.js'

/** What becomes of an activation y [n, Dout]: (replacement ?? y) + delta. Whoever gets it frees the tensors. */
export interface Splice {
  /** [n, Dout] what takes its place; null: itself */
  replacement: Tensor | null
  /** [n, Dout] what is added; null: nothing */
  delta: Tensor | null
}

/**
 * Hooks that change the activation which an autoencoder reconstructs, by the one that it reads. A transcoder's is read first, and what becomes of
 * the other is kept until the pass reaches that.
 * @param rows ascending rows of the pass to change, the others stay as they are; null: all
 * @param spliceOf x [n, D] of those rows -> what becomes of y; hooks wait where it does
 */
export function spliceHooks(
  sae: Sae,
  rows: Int32Array | null,
  spliceOf: (x: Tensor) => Splice,
): Record<string, Hook>
export function spliceHooks(
  sae: Sae,
  rows: Int32Array | null,
  spliceOf: (x: Tensor) => Promise<Splice>,
): Record<string, AsyncHook>
export function spliceHooks(
  sae: Sae,
  rows: Int32Array | null,
  spliceOf: (x: Tensor) => Splice | Promise<Splice>,
): Record<string, AsyncHook> {
  const read = (activation: Tensor): Splice | Promise<Splice> => {
    if (rows === null) return spliceOf(activation)
    const x = takeRows(sae, activation, rows)
    const free = (splice: Splice): Splice => {
      sae.kernels.free(x)
      return splice
    }
    const splice = spliceOf(x)
    return splice instanceof Promise ? splice.then(free) : free(splice)
  }
  const change = (activation: Tensor, splice: Splice | Promise<Splice>): void | Promise<void> =>
    splice instanceof Promise
      ? splice.then((known) => apply(sae, activation, rows, known))
      : apply(sae, activation, rows, splice)
  if (sae.hookName === sae.targetHookName)
    return { [sae.hookName]: (activation) => change(activation, read(activation)) }
  let planned: Splice | Promise<Splice> = { replacement: null, delta: null }
  return {
    [sae.hookName]: (activation) => {
      planned = read(activation)
      // The pass waits here, so that nothing changes the activation while it is read.
      if (planned instanceof Promise) return planned.then(() => {})
    },
    [sae.targetHookName]: (activation) => change(activation, planned),
  }
}

/** A copy of some rows, which the caller frees. */
function takeRows({ kernels }: Sae, activation: Tensor, rows: Int32Array): Tensor {
  const ids = kernels.tensor(rows, [rows.length])
  const taken = kernels.zeros([rows.length, activation.shape[1]])
  kernels.gatherRows(taken, activation, ids)
  kernels.free(ids)
  return taken
}

/** Changes the activation in place and frees the splice. */
function apply(sae: Sae, activation: Tensor, rows: Int32Array | null, { replacement, delta }: Splice): void {
  const { kernels } = sae
  const y = replacement ?? (rows ? takeRows(sae, activation, rows) : activation)
  if (delta) kernels.addInPlace(y, delta)
  if (rows) {
    const ids = kernels.tensor(rows, [rows.length])
    kernels.scatterRows(activation, y, ids)
    kernels.free(ids)
  } else if (replacement) kernels.copy(activation, replacement)
  if (y !== activation) kernels.free(y)
  if (delta) kernels.free(delta)
}

/** decode(encode(x)) [n, Dout], enqueued, which the caller frees */
export function reconstruction(sae: Sae, x: Tensor): Tensor {
  const y = sae.kernels.zeros([x.shape[0], sae.dOut])
  reconstruct(sae, y, null, x, y)
  return y
}
