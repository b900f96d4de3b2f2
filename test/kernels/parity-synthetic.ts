import type { Kernels, SyntheticGenerator, SyntheticLaw } from '../../src/kernels/kernels.js'
import { normalQuantile } from '../../src/kernels/normal-quantile.js'
import { Random } from '../../src/random/random.js'
import { type ParityCase, seedOf } from './parity-case.js'

interface LawShape {
  g: number
  d: number
  rank: number
  /** features 0 .. trees - 1 have `branching` children each, wherever ids are left */
  trees: number
  branching: number
  exclusive: boolean
  scaled: boolean
}

const SHAPES: readonly (LawShape & { n: number; offset: number })[] = [
  { n: 1, offset: 0, g: 1, d: 1, rank: 1, trees: 0, branching: 0, exclusive: true, scaled: true },
  { n: 70, offset: 5, g: 23, d: 17, rank: 2, trees: 3, branching: 4, exclusive: true, scaled: true },
  { n: 40, offset: 2 ** 40, g: 301, d: 33, rank: 25, trees: 7, branching: 9, exclusive: true, scaled: false },
  { n: 33, offset: 1, g: 301, d: 64, rank: 8, trees: 40, branching: 3, exclusive: false, scaled: true },
  { n: 65, offset: 9, g: 1030, d: 5, rank: 3, trees: 0, branching: 0, exclusive: false, scaled: false },
]

/** A law with rare and frequent features, one that is always drawn, and magnitudes that are often cut at 0. */
export function randomLaw(kernels: Kernels, shape: LawShape, seed: number): SyntheticLaw {
  const { g, d, rank, trees, branching } = shape
  const random = new Random(seed)
  const numbers = (count: number, value: () => number) => Float64Array.from({ length: count }, value)
  const childOffsets = new Int32Array(g + 1)
  const childIds: number[] = []
  for (let j = 0; j < g; j++) {
    for (let i = 0; i < branching && j < trees && trees + childIds.length < g; i++)
      childIds.push(trees + childIds.length)
    childOffsets[j + 1] = childIds.length
  }
  const directions = kernels.tensor(Float32Array.from(numbers(g * d, () => random.normal())), [g, d])
  const half = kernels.zeros([g, d], 'bf16')
  kernels.copy(half, directions)
  const thresholds = numbers(g, () => -normalQuantile(random.uniform() ** 4))
  thresholds[g >> 1] = -Infinity
  return {
    directions: shape.scaled ? half : directions,
    bias: kernels.tensor(Float32Array.from(numbers(d, () => random.normal())), [d]),
    childOffsets,
    childIds: Int32Array.from(childIds),
    loadings: Int16Array.from(
      numbers(g * rank, () => (2 * random.uniform() - 1) * (32_767 / Math.sqrt(rank))),
    ),
    residuals: numbers(g, () => random.uniform()),
    thresholds,
    magnitudeMeans: numbers(g, () => 0.5 + random.uniform()),
    magnitudeStds: numbers(g, () => random.uniform()),
    exclusive: shape.exclusive,
    scaled: shape.scaled,
  }
}

/** The same samples from every implementation: which features are active must agree exactly, so codes are compared as they are. */
export function syntheticCases(): ParityCase[] {
  return SHAPES.map(({ n, offset, ...shape }) => {
    const name = `syntheticSample n:${n} offset:${offset} g:${shape.g} d:${shape.d} rank:${shape.rank} trees:${shape.trees}`
    return {
      name,
      tolerance: 1e-6,
      async run(kernels) {
        const generator: SyntheticGenerator = kernels.syntheticCreate(randomLaw(kernels, shape, seedOf(name)))
        const [x, filled] = [kernels.zeros([n, shape.d]), kernels.zeros([n, shape.d])]
        const range = { seed: 2 ** 33 + 7, offset }
        const codes = await kernels.syntheticSample(x, generator, range)
        kernels.syntheticFill(filled, generator, range)
        return { ...codes, x: await kernels.read(x), filled: await kernels.read(filled) }
      },
    }
  })
}
