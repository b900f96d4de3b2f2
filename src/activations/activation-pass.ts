import type { TokenSplit } from '../corpus/corpus.js'
import { fillWindows, type WindowBatch } from '../corpus/windows.js'
import type { Tensor } from '../kernels/kernels.js'
import { createWorkspace, forward, freeWorkspace, lastHook, type Transformer } from '../model/transformer.js'
import { type RowLayout, rowPositions } from './row-layout.js'

/** Forward passes of a model over windows of text, which end after the last of some hook points, and the rows that they give. */
export interface ActivationPass {
  /**
   * Enqueues a pass.
   * @param windows at most `modelBatch` indices of windows
   * @returns the positions among the B*T of the pass that are rows, in order
   */
  run(windows: ArrayLike<number>): Int32Array
  /**
   * Enqueues copies of rows of the last pass, for each hook point into a tensor of its own.
   * @param positions as `run` returned them, or a part of that
   * @param target for a hook point, tensor [positions, D], f32 or bf16
   */
  copyRows(positions: Int32Array, target: (hookName: string) => Tensor): void
  free(): void
}

export interface ActivationPassOptions {
  hookNames: readonly string[]
  layout: RowLayout
  /** B, sequences per pass */
  modelBatch: number
}

/** @throws MonosemError config (windows longer than the model's context) */
export function createActivationPass(
  model: Transformer,
  split: TokenSplit,
  { hookNames: names, layout, modelBatch }: ActivationPassOptions,
): ActivationPass {
  const { kernels } = model
  const { contextSize } = layout
  const stopAfter = lastHook(model.config, names)
  const workspace = createWorkspace(model, modelBatch, contextSize, { keep: names })
  const ids = kernels.zeros([modelBatch * contextSize], 'i32')
  let tokens: WindowBatch | undefined
  return {
    run(windows) {
      // a pass has one size: windows that are missing are stood in for by the first
      const padded = Int32Array.from({ length: modelBatch }, (_, i) => windows[i] ?? windows[0])
      tokens = fillWindows(split, contextSize, padded, tokens)
      forward(model, workspace, tokens, { stopAfter })
      return rowPositions(layout, tokens.tokens.subarray(0, windows.length * contextSize))
    },
    copyRows(positions, target) {
      const wanted = kernels.rows(ids, 0, positions.length)
      kernels.write(wanted, positions)
      for (const name of names) kernels.gatherRows(target(name), workspace.activations[name], wanted)
    },
    free() {
      freeWorkspace(model, workspace)
      kernels.free(ids)
    },
  }
}
