import { expectInteger, expectTensor, FLOATS, misfit, shapeText } from './check.js'
import type { Tensor } from './kernels.js'
import type { SampleRange, SyntheticGenerator, SyntheticLaw } from './synthetic-kernels.js'

/** Largest number of common factors: their integer sums must fit 32 bits. */
const LARGEST_RANK = 256

export function checkSyntheticCreate(law: SyntheticLaw): void {
  const op = 'syntheticCreate'
  const [g, d] = expectTensor(op, 'directions', law.directions, ['G', 'D'], FLOATS)
  if (g < 1 || d < 1)
    throw misfit(op, 'directions [G, D] with G and D at least 1', shapeText(law.directions.shape))
  expectTensor(op, 'bias', law.bias, [d])
  expectInteger(op, 'number of loadings of a feature', law.loadings.length / g, 1, LARGEST_RANK)
  for (const name of ['residuals', 'thresholds', 'magnitudeMeans', 'magnitudeStds'] as const)
    if (law[name].length !== g) throw misfit(op, `${g} ${name}`, String(law[name].length))
  for (const name of ['residuals', 'magnitudeStds'] as const) expectAll(op, name, law[name], (v) => v >= 0)
  expectAll(op, 'thresholds', law.thresholds, (v) => !Number.isNaN(v))
  expectAll(op, 'magnitudeMeans', law.magnitudeMeans, (v) => v > 0)
  expectForest(op, law, g)
}

function expectAll(op: string, name: string, values: Float64Array, fits: (value: number) => boolean): void {
  const wrong = values.findIndex((value) => !fits(value))
  if (wrong >= 0) throw misfit(op, `${name} that make sense`, `${name}[${wrong}] = ${values[wrong]}`)
}

/** Every feature has at most one parent, whose id is lower, and siblings are in order. */
function expectForest(op: string, { childOffsets, childIds }: SyntheticLaw, g: number): void {
  if (childOffsets.length !== g + 1 || childOffsets[0] !== 0 || childOffsets[g] !== childIds.length)
    throw misfit(
      op,
      `${g + 1} childOffsets from 0 to ${childIds.length}`,
      `${childOffsets.length}, from ${childOffsets[0]} to ${childOffsets.at(-1)}`,
    )
  const seen = new Uint8Array(g)
  for (let j = 0; j < g; j++) {
    if (childOffsets[j + 1] < childOffsets[j])
      throw misfit(op, 'ascending childOffsets', `${childOffsets[j + 1]} after ${childOffsets[j]}`)
    let last = j
    for (const child of childIds.subarray(childOffsets[j], childOffsets[j + 1])) {
      if (!(child > last && child < g) || seen[child]++)
        throw misfit(op, `children of feature ${j} ascending above it, with no other parent`, String(child))
      last = child
    }
  }
}

export function checkSyntheticFill(x: Tensor, generator: SyntheticGenerator, range: SampleRange): void {
  const op = 'syntheticFill'
  const [n] = expectTensor(op, 'x', x, ['N', generator.d])
  expectInteger(op, 'seed', range.seed, 0, Number.MAX_SAFE_INTEGER)
  expectInteger(op, 'offset', range.offset, 0, Number.MAX_SAFE_INTEGER - n)
}
