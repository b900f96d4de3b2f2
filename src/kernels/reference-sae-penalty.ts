import type { SaeSparsity } from './kernels.js'

/** The penalty of a pair before its coefficient; `value` is f (gated: ReLU of the gate), `norm` is ||W_dec[j]||. */
export function penaltyOf(sparsity: SaeSparsity, value: number, norm: number): number {
  switch (sparsity.kind) {
    case 'none':
      return 0
    case 'l1':
      return sparsity.byDecoderNorm ? value * norm : value
    case 'l0':
      return value > 0 ? 1 : 0
    case 'tanh':
      return Math.tanh(sparsity.scale * value * norm)
  }
}

/** The derivatives of lambda times the penalty of a pair by its value and by the norm; l0 has none. */
export function penaltyGradient(
  sparsity: SaeSparsity,
  value: number,
  norm: number,
): { dValue: number; dNorm: number } {
  if (sparsity.kind === 'l1') {
    const { coefficient, byDecoderNorm } = sparsity
    return byDecoderNorm
      ? { dValue: coefficient * norm, dNorm: coefficient * value }
      : { dValue: coefficient, dNorm: 0 }
  }
  if (sparsity.kind === 'tanh') {
    const { coefficient, scale } = sparsity
    const slope = coefficient * scale * (1 - Math.tanh(scale * value * norm) ** 2)
    return { dValue: slope * norm, dNorm: slope * value }
  }
  return { dValue: 0, dNorm: 0 }
}

/** The penalty on a pre-activation below theta, before its coefficient. */
export const preActPenaltyOf = (pre: number, theta: number, norm: number): number =>
  pre < theta ? (theta - pre) * norm : 0
