import type { Codes, Tensor } from './kernels.js'
import { normalQuantile } from './normal-quantile.js'
import { philox } from './philox.js'
import { f32, floats } from './reference-tensor.js'
import {
  FACTOR_BITS,
  LOADING_BITS,
  type SampleRange,
  type SyntheticGenerator,
  type SyntheticLaw,
} from './synthetic-kernels.js'

// Last word of the counter.
const PURPOSE = { factors: 0, residual: 1, magnitude: 2 } as const

/** A law, as it is. */
export class ReferenceGenerator implements SyntheticGenerator {
  readonly features: number
  readonly d: number
  /** features without a parent */
  readonly roots: readonly number[]

  constructor(readonly law: SyntheticLaw) {
    ;[this.features, this.d] = law.directions.shape
    const children = new Set(law.childIds)
    this.roots = Array.from(law.thresholds.keys()).filter((j) => !children.has(j))
  }
}

/** The random numbers of one sample. */
type Words = (purpose: number, block: number) => number[]

const low = (value: number): number => value % 2 ** 32
const high = (value: number): number => Math.floor(value / 2 ** 32)

const wordsOf =
  (seed: number, sample: number): Words =>
  (purpose, block) =>
    philox([block, low(sample), high(sample), purpose], [low(seed), high(seed)])

const normalOf = (word: number): number => normalQuantile((word + 0.5) / 2 ** 32)

/** The common factors, in units of 2^-FACTOR_BITS. */
function factorsOf(words: Words, rank: number): number[] {
  return Array.from({ length: rank }, (_, r) =>
    Math.round(normalOf(words(PURPOSE.factors, Math.floor(r / 4))[r % 4]) * 2 ** FACTOR_BITS),
  )
}

/** Whether feature j's variable is above its threshold. */
function isDrawn(
  { loadings, residuals, thresholds }: SyntheticLaw,
  j: number,
  factors: number[],
  words: Words,
): boolean {
  const common = factors.reduce((sum, u, r) => sum + u * loadings[j * factors.length + r], 0)
  const own = residuals[j] * normalOf(words(PURPOSE.residual, Math.floor(j / 4))[j % 4])
  return own + common * 2 ** -(FACTOR_BITS + LOADING_BITS) > thresholds[j]
}

function magnitudeOf({ magnitudeMeans, magnitudeStds }: SyntheticLaw, j: number, words: Words): number {
  return Math.max(0, magnitudeMeans[j] + magnitudeStds[j] * normalOf(words(PURPOSE.magnitude, j)[0]))
}

/** Active features of one sample, by id. */
function sampleFeatures(generator: ReferenceGenerator, words: Words): Map<number, number> {
  const { law, roots, features } = generator
  const factors = factorsOf(words, law.loadings.length / features)
  const active = new Map<number, number>()
  const candidates = (ids: readonly number[]): [number, number][] =>
    ids
      .filter((j) => isDrawn(law, j, factors, words))
      .map((j): [number, number] => [j, magnitudeOf(law, j, words)])
      .filter(([, magnitude]) => magnitude > 0)
  const activate = (j: number, value: number): void => {
    active.set(j, value)
    const children = candidates([...law.childIds.subarray(law.childOffsets[j], law.childOffsets[j + 1])])
    const factor = law.scaled ? value / law.magnitudeMeans[j] : 1
    for (const [child, magnitude] of law.exclusive
      ? oneOf(children, words(PURPOSE.magnitude, j)[1])
      : children)
      activate(child, magnitude * factor)
  }
  for (const [j, magnitude] of candidates(roots)) activate(j, magnitude)
  return active
}

const oneOf = <T>(list: readonly T[], word: number): readonly T[] => {
  const winner = Math.floor((word / 2 ** 32) * list.length)
  return list.slice(winner, winner + 1)
}

/** x [N, D] and the active features of its samples */
export function syntheticSample(x: Tensor, generator: SyntheticGenerator, range: SampleRange): Codes {
  const { law } = generator as ReferenceGenerator
  const [n, d] = x.shape
  const [out, directions, bias] = [f32(x), floats(law.directions), f32(law.bias)]
  const rows = Array.from({ length: n }, (_, i) => {
    const active = sampleFeatures(generator as ReferenceGenerator, wordsOf(range.seed, range.offset + i))
    const row = [...active]
      .map(([j, value]): [number, number] => [j, Math.fround(value)])
      .sort(([a], [b]) => a - b)
    for (let c = 0; c < d; c++)
      out[i * d + c] = row.reduce((sum, [j, value]) => sum + value * directions[j * d + c], bias[c])
    return row
  })
  const rowOffsets = new Int32Array(n + 1)
  rows.forEach((row, i) => {
    rowOffsets[i + 1] = rowOffsets[i] + row.length
  })
  return {
    rowOffsets,
    featureIds: Int32Array.from(rows.flatMap((row) => row.map(([j]) => j))),
    values: Float32Array.from(rows.flatMap((row) => row.map(([, value]) => value))),
  }
}

export function syntheticFill(x: Tensor, generator: SyntheticGenerator, range: SampleRange): void {
  syntheticSample(x, generator, range)
}
