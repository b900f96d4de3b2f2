import type { Codes } from '../kernels/kernels.js'

/** What taking one feature out of the context of one example comes to, in rows b * T + t of a batch of windows. */
export interface Removal {
  /** index of the example */
  example: number
  feature: number
  /** added to an index into the split, gives the row of the batch */
  shift: number
  /** first row of the example's window */
  windowStart: number
  /** rows at which the feature fires, ascending, and its activation there */
  rows: number[]
  activations: number[]
  /** one past the last row of the context */
  contextEnd: number
}

/** How sequences lie in a pass. */
export interface Layout {
  /** rows of one: 1 where no change can reach another token, else all T of a window */
  sequence: number
  /** how many fit into a pass */
  sequences: number
}

/** One forward pass with a feature taken out of each of its sequences. */
export interface AblationPass {
  /** [rows] the row of the untouched batch that each row begins as */
  source: Int32Array
  /** -f_j wherever a feature is taken out: decoded without a bias, they are what to add */
  codes: Codes
  /** rows whose prediction counts, the same rows in the untouched batch, and which removal (by index) each belongs to */
  predicted: { rows: Int32Array; source: Int32Array; removals: Int32Array }
}

/** A stretch of the batch as long as a sequence, what is taken out of it, and which predictions count. */
interface Sequence {
  removal: Removal
  /** which one that is */
  index: number
  start: number
  /** indices into the removal's rows */
  removed: number[]
  predicted: number[]
}

/** Packs removals into passes. @param targets [B*T] of the batch; rows with -1 predict nothing */
export function packPasses(
  removals: readonly Removal[],
  layout: Layout,
  targets: ArrayLike<number>,
): AblationPass[] {
  const sequencesOf = layout.sequence === 1 ? singleRows : wholeWindow
  const sequences = removals.flatMap((removal, index) =>
    removal.rows.length === 0 ? [] : sequencesOf(removal, index, targets),
  )
  const passes: AblationPass[] = []
  for (let i = 0; i < sequences.length; i += layout.sequences)
    passes.push(passOf(sequences.slice(i, i + layout.sequences), layout))
  return passes
}

function singleRows(removal: Removal, index: number, targets: ArrayLike<number>): Sequence[] {
  return removal.rows.flatMap((row, i) =>
    targets[row] < 0 ? [] : [{ removal, index, start: row, removed: [i], predicted: [row] }],
  )
}

/** From the first removal on, all predictions of the context may change. */
function wholeWindow(removal: Removal, index: number, targets: ArrayLike<number>): Sequence[] {
  const predicted: number[] = []
  for (let row = removal.rows[0]; row < removal.contextEnd; row++) if (targets[row] >= 0) predicted.push(row)
  const removed = removal.rows.map((_, i) => i)
  return predicted.length === 0 ? [] : [{ removal, index, start: removal.windowStart, removed, predicted }]
}

function passOf(sequences: readonly Sequence[], { sequence, sequences: capacity }: Layout): AblationPass {
  const source = new Int32Array(sequence * capacity)
  const rowOffsets = new Int32Array(sequence * capacity + 1)
  const featureIds: number[] = []
  const values: number[] = []
  const predicted: Record<'rows' | 'source' | 'removals', number[]> = { rows: [], source: [], removals: [] }
  for (let s = 0; s < capacity; s++) {
    const { start = 0, removal, index = -1, removed = [], predicted: wanted = [] } = sequences[s] ?? {}
    const base = s * sequence
    let next = 0
    for (let i = 0; i < sequence; i++) {
      source[base + i] = start + i
      if (removal && removal.rows[removed[next]] === start + i) {
        featureIds.push(removal.feature)
        values.push(-removal.activations[removed[next++]])
      }
      rowOffsets[base + i + 1] = featureIds.length
    }
    for (const row of wanted) {
      predicted.rows.push(base + row - start)
      predicted.source.push(row)
      predicted.removals.push(index)
    }
  }
  return {
    source,
    codes: { rowOffsets, featureIds: Int32Array.from(featureIds), values: Float32Array.from(values) },
    predicted: {
      rows: Int32Array.from(predicted.rows),
      source: Int32Array.from(predicted.source),
      removals: Int32Array.from(predicted.removals),
    },
  }
}
