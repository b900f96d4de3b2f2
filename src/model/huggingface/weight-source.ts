/** Rows or columns first .. first+count-1. */
export type Run = readonly [first: number, count: number]

/** Where a checkpoint keeps a parameter, and how it lies there. */
export interface WeightSource {
  /** what the stored tensor is called; where checkpoints differ, several: the first that is there is read */
  tensors: readonly string[]
  /** of the whole stored tensor */
  shape: readonly number[]
  /** rows of it that make the parameter, one after the other; all unless given */
  rows?: readonly Run[]
  /** columns of it that make the parameter; all unless given */
  columns?: Run
  /** stored [outputs, inputs] as by torch.nn.Linear, while parameters are [inputs, outputs] */
  transpose?: boolean
  /** added to every number: norms that are stored as w of 1 + w */
  add?: number
}

/** For each parameter that a family can have. Which of them a model has is decided by its configuration. */
export interface WeightTable {
  /** what the names of all tensors but the head's begin with, and what checkpoints of the model without its head leave out */
  prefix: string
  /** tensors that are no weights (masks, frequencies), saved by older versions */
  ignored: RegExp
  /** names of the matrix that makes logits */
  head: readonly string[]
  sources: Record<string, WeightSource>
}

/** A tensor that is stored as we have it. */
export const same = (tensor: string, ...shape: number[]): WeightSource => ({ tensors: [tensor], shape })

/** The weights of a torch.nn.Linear. */
export const linear = (tensor: string, inputs: number, outputs: number): WeightSource => ({
  tensors: [tensor],
  shape: [outputs, inputs],
  transpose: true,
})

/** Scale and bias of a LayerNorm. */
export const layerNorm = (name: string, tensor: string, width: number): Record<string, WeightSource> => ({
  [`${name}.w`]: same(`${tensor}.weight`, width),
  [`${name}.b`]: same(`${tensor}.bias`, width),
})
