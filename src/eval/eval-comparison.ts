import type { EvalReport } from './eval-report.js'

/** Several evaluations of one hook point of one model: the content of comparison.json. */
export interface EvalComparison {
  hookName: string
  /** in the order given */
  evaluations: ComparedEval[]
  /** in what their samples differ */
  warnings: string[]
  /** names of those that no other beats in both, by ascending L0: fewer active features and more of the figure */
  frontiers: Record<FrontierFigure, string[]>
}

export interface ComparedEval {
  /** the part of its path in which it differs from the others */
  name: string
  report: EvalReport
}

export type FrontierFigure = 'lossRecovered' | 'explainedVariance'
