import type { Kernels, SampleRange, SyntheticLaw } from '../../src/kernels/kernels.js'
import type { Misuse } from './misuse.js'

const G = 4
const D = 3

const law = (k: Kernels, changes: Partial<SyntheticLaw> = {}): SyntheticLaw => ({
  directions: k.zeros([G, D]),
  bias: k.zeros([D]),
  childOffsets: Int32Array.of(0, 2, 2, 2, 2),
  childIds: Int32Array.of(2, 3),
  loadings: new Int16Array(2 * G),
  residuals: new Float64Array(G).fill(1),
  thresholds: new Float64Array(G),
  magnitudeMeans: new Float64Array(G).fill(1),
  magnitudeStds: new Float64Array(G),
  exclusive: true,
  scaled: true,
  ...changes,
})

const create =
  (changes: (k: Kernels) => Partial<SyntheticLaw>) =>
  (k: Kernels): unknown =>
    k.syntheticCreate(law(k, changes(k)))

const fill =
  (range: SampleRange, shape: readonly number[] = [2, D]) =>
  (k: Kernels): unknown =>
    k.syntheticFill(k.zeros(shape), k.syntheticCreate(law(k)), range)

const START = { seed: 0, offset: 0 }

/** Wrong arguments to the operations on synthetic activations. */
export const SYNTHETIC_MISUSES: Misuse[] = [
  [/syntheticCreate: expected directions \[G, D\], got \[4\]/, create((k) => ({ directions: k.zeros([4]) }))],
  [/syntheticCreate: .*G and D at least 1/, create((k) => ({ directions: k.zeros([0, D]) }))],
  [/syntheticCreate: expected bias \[3\], got \[4\]/, create((k) => ({ bias: k.zeros([4]) }))],
  [/syntheticCreate: .*loadings.*got 1.25/, create(() => ({ loadings: new Int16Array(5) }))],
  [/syntheticCreate: .*loadings.*got 300/, create(() => ({ loadings: new Int16Array(300 * G) }))],
  [/syntheticCreate: expected 4 residuals, got 3/, create(() => ({ residuals: new Float64Array(3) }))],
  [/thresholds\[0\] = NaN/, create(() => ({ thresholds: new Float64Array(G).fill(NaN) }))],
  [/magnitudeMeans\[0\] = 0/, create(() => ({ magnitudeMeans: new Float64Array(G) }))],
  [/magnitudeStds\[0\] = -1/, create(() => ({ magnitudeStds: new Float64Array(G).fill(-1) }))],
  [/5 childOffsets from 0 to 2/, create(() => ({ childOffsets: Int32Array.of(0, 2, 2, 2) }))],
  [/ascending childOffsets, got 1 after 2/, create(() => ({ childOffsets: Int32Array.of(0, 2, 1, 2, 2) }))],
  [/children of feature 0 .*got 0/, create(() => ({ childIds: Int32Array.of(0, 2) }))],
  [/children of feature 0 .*got 2/, create(() => ({ childIds: Int32Array.of(2, 2) }))],
  [/children of feature 0 .*got 4/, create(() => ({ childIds: Int32Array.of(2, 4) }))],
  [
    /children of feature 1 .*got 2/,
    create(() => ({ childOffsets: Int32Array.of(0, 1, 2, 2, 2), childIds: Int32Array.of(2, 2) })),
  ],
  [/syntheticFill: expected x \[N, 3\], got \[2, 4\]/, fill(START, [2, 4])],
  [/syntheticFill: .*seed.*got -1/, fill({ seed: -1, offset: 0 })],
  [/syntheticFill: .*offset.*got 0.5/, fill({ seed: 0, offset: 0.5 })],
  [/syntheticFill: .*offset/, fill({ seed: 0, offset: Number.MAX_SAFE_INTEGER })],
]

/** Samples of a law whose directions were freed. */
export function syntheticUsesAfterFree(k: Kernels): (() => unknown)[] {
  const directions = k.zeros([G, D])
  const generator = k.syntheticCreate(law(k, { directions }))
  k.free(directions)
  return [
    () => k.syntheticFill(k.zeros([2, D]), generator, START),
    () => k.syntheticCreate(law(k, { directions })),
  ]
}
