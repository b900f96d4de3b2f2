import { parseConfig } from '../config/parse-config.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { LOADING_BITS } from '../kernels/synthetic-kernels.js'
import { Random } from '../random/random.js'
import { createDirections } from './directions.js'
import { type FeatureModelConfig, featureModelConfigSchema } from './feature-model-config.js'
import { compensatedProbabilities, createHierarchy, firingProbabilities } from './hierarchy.js'
import { normalCdf } from './normal-cdf.js'

/**
 * A world whose features are known: an activation is x = bias + sum over active features j of magnitude_j direction_j, and which are active follows a
 * Zipfian law, correlations and a hierarchy. G true features, D dimensions, R the rank of the correlations. Feature ids are ranks: 0 is the most frequent.
 */
export interface FeatureModel {
  readonly config: FeatureModelConfig
  /** D */
  readonly d: number
  /** G */
  readonly features: number
  /** [G, D], rows of unit norm, rounded to bf16 */
  readonly directions: Float32Array
  /** [D] added to every activation */
  readonly bias: Float32Array
  /** [G] the feature without which a feature never fires, -1 for none; always a lower id */
  readonly parents: Int32Array
  /** children of each feature, ascending */
  readonly children: readonly (readonly number[])[]
  /** [G] how often each feature was asked to fire: the Zipfian law */
  readonly askedProbabilities: Float64Array
  /** [G] probability of being drawn where the parent fires; compensation included */
  readonly drawnProbabilities: Float64Array
  /** [G] how often each feature fires (see `firingProbabilities`); their sum is the expected L0 */
  readonly probabilities: Float64Array
  /** [G] mean and standard deviation of the normal distribution of a feature's magnitude; below 0 is inactive */
  readonly magnitudeMeans: Float64Array
  readonly magnitudeStds: Float64Array
  /** [G, R] loadings of the copula, in units of 2^-15; row norms below 1 */
  readonly loadings: Int16Array
}

/**
 * Builds the world of a configuration: the same one for the same configuration on every run. At the default size most of
 * the time goes into `createDirections`.
 * @throws MonosemError config, when the options contradict one another
 */
export async function createFeatureModel(
  kernels: Kernels,
  options: Partial<FeatureModelConfig> = {},
): Promise<FeatureModel> {
  const config = parseConfig(featureModelConfigSchema, options)
  const hierarchy = createHierarchy(config)
  const asked = zipfianProbabilities(config)
  const drawn = config.compensateProbabilities
    ? compensatedProbabilities(asked, hierarchy, config.exclusiveSiblings)
    : asked
  const magnitudeMeans = linearMagnitudes(config)
  const magnitudeStds = foldedNormals(config)
  const positive = drawn.map((p, j) => p * chanceAboveZero(magnitudeMeans[j], magnitudeStds[j]))
  return {
    config,
    d: config.width,
    features: config.trueFeatures,
    directions: await createDirections(kernels, config),
    bias: randomVector(config),
    ...hierarchy,
    askedProbabilities: asked,
    drawnProbabilities: drawn,
    probabilities: firingProbabilities(positive, hierarchy, config.exclusiveSiblings),
    magnitudeMeans,
    magnitudeStds,
    loadings: randomLoadings(config),
  }
}

/** rank^-exponent, moved and stretched so that the first is maxProbability and the last minProbability. */
function zipfianProbabilities(config: FeatureModelConfig): Float64Array {
  const { trueFeatures: g, zipfExponent, maxProbability, minProbability } = config
  if (minProbability > maxProbability)
    throw new MonosemError(
      'config',
      `minProbability ${minProbability} is above maxProbability ${maxProbability}`,
    )
  if (g === 1) return Float64Array.of(maxProbability)
  const last = g ** -zipfExponent
  return Float64Array.from({ length: g }, (_, j) => {
    const share = ((j + 1) ** -zipfExponent - last) / (1 - last)
    return minProbability + (maxProbability - minProbability) * share
  })
}

function linearMagnitudes({
  trueFeatures: g,
  magnitudeFirst,
  magnitudeLast,
}: FeatureModelConfig): Float64Array {
  return Float64Array.from({ length: g }, (_, j) =>
    g === 1 ? magnitudeFirst : magnitudeFirst + ((magnitudeLast - magnitudeFirst) * j) / (g - 1),
  )
}

function foldedNormals(config: FeatureModelConfig): Float64Array {
  const random = Random.named(config.modelSeed, 'magnitude spread')
  return Float64Array.from({ length: config.trueFeatures }, () =>
    Math.abs(config.spreadMean + config.spreadStd * random.normal()),
  )
}

const chanceAboveZero = (mean: number, std: number): number => (std === 0 ? 1 : normalCdf(mean / std))

/** A vector of norm biasNorm in a random direction. */
function randomVector({ width, biasNorm, modelSeed }: FeatureModelConfig): Float32Array {
  const random = Random.named(modelSeed, 'bias')
  const v = Float64Array.from({ length: width }, () => random.normal())
  const norm = Math.hypot(...v)
  return Float32Array.from(v, (value) => (norm === 0 ? 0 : (value * biasNorm) / norm))
}

/** Largest share of a feature's variance that the common factors may have. */
const LARGEST_COMMON_SHARE = 0.99

/** Normal with standard deviation correlationScale; all made smaller where a feature would have next to no variance of its own. */
function randomLoadings(config: FeatureModelConfig): Int16Array {
  const { trueFeatures: g, correlationRank: rank, correlationScale: scale } = config
  const random = Random.named(config.modelSeed, 'correlations')
  const loadings = Float64Array.from({ length: g * rank }, () => scale * random.normal())
  let largest = 0
  for (let j = 0; j < g; j++) {
    const row = loadings.subarray(j * rank, (j + 1) * rank)
    largest = Math.max(
      largest,
      row.reduce((sum, value) => sum + value * value, 0),
    )
  }
  const shrink = largest > LARGEST_COMMON_SHARE ? Math.sqrt(LARGEST_COMMON_SHARE / largest) : 1
  return Int16Array.from(loadings, (value) => Math.round(value * shrink * 2 ** LOADING_BITS))
}
