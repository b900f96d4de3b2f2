import type { Codes } from '../kernels/kernels.js'
import { SAE_COMPARISON, saeComparison } from '../kernels/sae-kernels.js'
import { createVarianceSums, type VarianceSums } from '../sae/explained-variance.js'
import { createDocumentSums, type DocumentSums } from './document-sums.js'
import { activationSums, activeFeatures, countFires } from './sparsity.js'

const columns = [
  // over text positions
  'tokens',
  'active',
  'activation',
  'squaredError',
  'deviation',
  'reconstruction',
  'dot',
  // over those where x is not the zero vector, which has no direction and no relative error
  'directed',
  'cosine',
  'l2Ratio',
  'relativeError',
  // over text positions with a target
  'targets',
  'clean',
  'spliced',
  'zeroAblated',
  'meanAblated',
  'kl',
] as const

/** What is summed for each document. */
export type EvalColumn = (typeof columns)[number]

/** Everything an evaluation accumulates. */
export interface EvalSums {
  perDocument: DocumentSums<EvalColumn>
  variance: VarianceSums
  /** [F] tokens on which each feature fired */
  fires: Float64Array
  /** [F + 1] tokens with exactly that many active features */
  l0Counts: Float64Array
}

/** @param features F @param width Dout */
export function createEvalSums(features: number, width: number): EvalSums {
  return {
    perDocument: createDocumentSums(columns),
    variance: createVarianceSums(width),
    fires: new Float64Array(features),
    l0Counts: new Float64Array(features + 1),
  }
}

/** Read-back results of one batch of B windows of T positions, n of them text. */
export interface EvaluatedBatch {
  /** [B*T] the document of each position, an index into `documentStarts` */
  documents: Int32Array
  /** [n] text positions, b * T + t */
  rows: Int32Array
  /** [B*T] next tokens, -1 where there is none */
  targets: Int32Array
  /** [n, 5] what `saeCompare` found of each text position, about the mean for ablation */
  comparison: Float32Array
  /** [Dout] and summed over them */
  shift: Float32Array
  /** of the n text positions */
  codes: Codes
  /** [B*T] each, nats */
  losses: Record<'clean' | 'spliced' | 'zeroAblated' | 'meanAblated' | 'kl', Float32Array>
}

/** Adds one batch to the sums. */
export function addBatch(sums: EvalSums, batch: EvaluatedBatch): void {
  const active = activeFeatures(batch.codes)
  const activation = activationSums(batch.codes)
  batch.rows.forEach((row, i) => {
    const unit = sums.perDocument.unit(batch.documents[row])
    addPosition(sums, unit, batch, i, active[i], activation[i])
    if (batch.targets[row] >= 0) addTarget(sums, unit, batch, row)
  })
  for (let j = 0; j < batch.shift.length; j++) sums.variance.shift[j] += batch.shift[j]
  countFires(sums.fires, batch.codes)
}

/** @param i place among the text positions */
function addPosition(
  { perDocument: { columns }, variance, l0Counts }: EvalSums,
  unit: number,
  { comparison }: EvaluatedBatch,
  i: number,
  active: number,
  activation: number,
): void {
  const at = i * SAE_COMPARISON
  const squaredError = comparison[at + saeComparison.squaredError]
  const dot = comparison[at + saeComparison.dot]
  const target = comparison[at + saeComparison.target]
  const reconstruction = comparison[at + saeComparison.reconstruction]
  const deviation = comparison[at + saeComparison.deviation]
  l0Counts[active]++
  variance.count++
  variance.squaredError += squaredError
  variance.deviation += deviation
  columns.tokens[unit]++
  columns.active[unit] += active
  columns.activation[unit] += activation
  columns.squaredError[unit] += squaredError
  columns.deviation[unit] += deviation
  columns.reconstruction[unit] += reconstruction
  columns.dot[unit] += dot
  if (target === 0) return
  columns.directed[unit]++
  if (reconstruction > 0) columns.cosine[unit] += dot / Math.sqrt(target * reconstruction)
  columns.l2Ratio[unit] += Math.sqrt(reconstruction / target)
  columns.relativeError[unit] += squaredError / target
}

/** @param row position in the batch */
function addTarget(
  { perDocument: { columns } }: EvalSums,
  unit: number,
  { losses }: EvaluatedBatch,
  row: number,
): void {
  columns.targets[unit]++
  columns.clean[unit] += losses.clean[row]
  columns.spliced[unit] += losses.spliced[row]
  columns.zeroAblated[unit] += losses.zeroAblated[row]
  columns.meanAblated[unit] += losses.meanAblated[row]
  columns.kl[unit] += losses.kl[row]
}
