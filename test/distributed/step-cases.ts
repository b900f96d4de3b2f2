import type { SaeSparsity, SaeStepOptions } from '../../src/kernels/kernels.js'
import type { SaeLayout } from '../kernels/random-tensors.js'
import { topkForm } from '../kernels/sae-setup.js'

/** A training whose steps several ranks share. */
export interface StepCase {
  name: string
  rows: number
  layout: SaeLayout
  options: Omit<SaeStepOptions, 'adam' | 'ranks'>
  /** encoder biases are lowered by this, so that codes are sparse and the steps do not multiply matrices */
  lowered?: number
  /** rows with NaN, in every step */
  badRows?: readonly number[]
}

const L1: SaeSparsity = { kind: 'l1', coefficient: 0.3, byDecoderNorm: false }
const TANH: SaeSparsity = { kind: 'tanh', coefficient: 0.3, scale: 0.5, bandwidth: 2, preAct: 0.2 }
const NONE: SaeSparsity = { kind: 'none' }
/** Some features are dead at first (`tokensSinceFired` starts anywhere below 1,000). */
const AUX = { k: 3, coefficient: 0.5, deadAfterTokens: 700 }

/** 65 features, two whole panels of some processors and a feature more; 37 rows, which neither two nor three ranks can share evenly. */
const small = (name: string, options: StepCase['options'], more: Partial<SaeLayout> = {}): StepCase => ({
  name,
  rows: 37,
  layout: { features: 65, d: 24, activation: options.form.activation, ...more },
  options,
})

const relu: StepCase['options'] = {
  form: { activation: { kind: 'relu' }, subtractDecoderBias: true },
  sparsity: L1,
  unitNormDecoder: true,
}
const byNorm: StepCase['options'] = {
  form: { activation: { kind: 'relu' }, subtractDecoderBias: false },
  sparsity: { ...L1, byDecoderNorm: true },
  unitNormDecoder: false,
  gradientClip: 1,
}
const jumprelu: StepCase['options'] = {
  form: { activation: { kind: 'jumprelu' }, subtractDecoderBias: false },
  sparsity: { kind: 'l0', coefficient: 0.3, bandwidth: 2 },
  unitNormDecoder: true,
}
const tanh: StepCase['options'] = {
  form: { activation: { kind: 'jumprelu', logThreshold: true }, subtractDecoderBias: true },
  sparsity: TANH,
  unitNormDecoder: false,
  gradientClip: 1,
}
const gated: StepCase['options'] = {
  ...relu,
  form: { activation: { kind: 'gated' }, subtractDecoderBias: true },
}
const topk: StepCase['options'] = { form: topkForm(2), sparsity: NONE, unitNormDecoder: true }
const batchtopk: StepCase['options'] = {
  ...topk,
  form: { activation: { kind: 'batchtopk', k: 2 }, subtractDecoderBias: true },
}
const matryoshka: StepCase['options'] = { ...batchtopk, prefixes: [13, 33, 65], auxK: AUX }
const sparse = (one: StepCase): StepCase => ({ ...one, name: `${one.name}, sparse`, lowered: 6 })

const matrices = [
  small('relu', relu),
  small('relu by norm, clipped', byNorm),
  small('jumprelu', jumprelu),
  small('jumprelu-tanh, clipped', tanh),
  small('gated', gated),
  small('relu with AuxK', { ...relu, auxK: AUX }),
]

/** Every architecture, on both ways of computing where it has both; enough features for several messages a step; AuxK, a transcoder, a frozen decoder. */
export const stepCases: readonly StepCase[] = [
  ...matrices,
  ...matrices.map(sparse),
  small('topk', topk),
  small('topk with AuxK', { ...topk, auxK: AUX }),
  small('topk, frozen decoder', { ...topk, freezeDecoder: true, gradientClip: 0.5 }),
  small('batchtopk with AuxK', { ...batchtopk, auxK: AUX }),
  small('matryoshka', matryoshka),
  small(
    'transcoder with skip',
    { ...topk, form: { ...topk.form, subtractDecoderBias: false }, gradientClip: 0.5 },
    { dOut: 20, skip: true },
  ),
  { ...small('bad rows', { ...topk, badRows: 'skip' }), badRows: [3, 20] },
  // all rows of the first of two or three replicas
  {
    ...small('a rank without good rows', { ...topk, badRows: 'skip', auxK: AUX }),
    rows: 5,
    badRows: [0, 1, 2],
  },
  {
    ...small('a rank without good rows, matrices', { ...relu, badRows: 'skip' }),
    rows: 5,
    badRows: [0, 1, 2],
  },
  {
    ...small('relu of many features', { ...relu, unitNormDecoder: false }, { features: 4500, d: 8 }),
    rows: 9,
  },
  { ...small('topk of many features', { ...topk, form: topkForm(100) }, { features: 4500, d: 8 }), rows: 64 },
]
