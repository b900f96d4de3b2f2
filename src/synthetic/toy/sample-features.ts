import { MonosemError } from '../../errors/monosem-error.js'
import { Random } from '../../random/random.js'

export const correlations = ['independent', 'correlated', 'anticorrelated'] as const

/** How often the features of a toy model are active, and which of them together (Elhage et al. 2022, "Demonstrating superposition" and "correlated features"). */
export interface FeatureDistribution {
  /** n, number of features */
  features: number
  /** p = 1 - S: probability that a feature is active (not 0); S is the paper's sparsity */
  density: number
  /**
   * independent: each feature for itself; correlated: the features of a set are active together; anticorrelated: never more than one of
   * a set. In all three each feature is active with probability `density` and then uniform in [0, 1], independently of the others.
   */
  correlation: (typeof correlations)[number]
  /** features that make up a set, neighbours by index; 1 where features are independent */
  setSize: number
}

/** Features that are active independently of one another. */
export const independentFeatures = (features: number, density: number): FeatureDistribution => ({
  ...{ features, density },
  ...({ correlation: 'independent', setSize: 1 } as const),
})

/** Which samples: everything is drawn anew for another stream, seed or batch, and the same again for the same ones. */
export interface SampleBatch {
  /** what the samples are for: no two purposes share any */
  stream: 'toy training' | 'toy loss' | 'autoencoder'
  seed: number
  /** 0-based */
  index: number
  batchSize: number
}

/** One batch of feature vectors x [N, n]. @throws MonosemError config (no such distribution) */
export function sampleFeatures(
  distribution: FeatureDistribution,
  { stream, seed, index, batchSize }: SampleBatch,
): Float32Array {
  checkDistribution(distribution)
  const { features, density, correlation, setSize } = distribution
  const x = new Float32Array(batchSize * features)
  const random = Random.named(seed, `toy features: ${stream}, batch ${index}`)
  const sets = features / setSize
  const perSet = correlation === 'anticorrelated' ? setSize * density : density
  for (const set of activeOf(batchSize * sets, perSet, random)) {
    const first = set * setSize
    if (correlation === 'anticorrelated') x[first + random.int(setSize)] = random.uniform()
    else for (let i = first; i < first + setSize; i++) x[i] = random.uniform()
  }
  return x
}

/** Those of `count` independent events that happen, each with probability p: the gaps between them are geometric. */
function* activeOf(count: number, p: number, random: Random): Generator<number> {
  const gap = (): number => (p >= 1 ? 0 : Math.floor(Math.log1p(-random.uniform()) / Math.log1p(-p)))
  for (let i = gap(); i < count; i += 1 + gap()) yield i
}

function checkDistribution({ features, density, correlation, setSize }: FeatureDistribution): void {
  const largest = correlation === 'anticorrelated' ? 1 / setSize : 1
  if (!(density > 0 && density <= largest))
    throw new MonosemError(
      'config',
      `toy model: expected a feature density above 0 and up to ${largest}, got ${density}`,
      { hint: 'it is 1 - sparsity, and at most one of a set of anticorrelated features is active' },
    )
  if (features % setSize !== 0)
    throw new MonosemError(
      'config',
      `toy model: expected a number of features that sets of ${setSize} divide, got ${features}`,
      { hint: 'choose another number of features' },
    )
}
