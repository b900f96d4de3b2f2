import type { Kernels } from '../../kernels/kernels.js'
import type { StageContext } from '../../progress/progress.js'
import { measureGeometry } from './geometry.js'
import { type FeatureDistribution, independentFeatures } from './sample-features.js'
import type { ToyConfig } from './toy-config.js'
import { importances } from './toy-model.js'
import type { ToyGeometry, ToyPicture } from './toy-report.js'
import { type ToyTraining, type TrainedToy, trainToy } from './train-toy.js'

/** What is to be drawn: a model of a few features is trained several times, and the one of the lowest loss is shown. */
export interface PictureRequest {
  distribution: FeatureDistribution
  dimensions: number
  importance: Float32Array
  restarts: number
  /** a model of a few features, which learns quickly and keeps its W */
  few: boolean
}

/** All models of the report's geometry, by group. */
export function geometryRequests(config: ToyConfig): Record<keyof ToyGeometry, PictureRequest[]> {
  const { geometryFeatures, geometryDimensions, restarts } = config
  const picture = (dimensions: number, distribution: FeatureDistribution, decay = 1): PictureRequest => ({
    ...{ distribution, dimensions, restarts, few: true },
    importance: importances(distribution.features, decay),
  })
  const pairs = (correlation: FeatureDistribution['correlation']): FeatureDistribution => ({
    ...{ features: 4, density: 0.1, correlation, setSize: 2 },
  })
  return {
    plane: [1, 0.2, 0.1].map((density) => picture(2, independentFeatures(5, density), 0.9)),
    correlated: (['independent', 'correlated', 'anticorrelated'] as const).map((correlation) =>
      picture(2, pairs(correlation)),
    ),
    importance: [1, 0.3, 0.1, 0.03, 0.01, 0.001].map((density) =>
      picture(5, independentFeatures(20, density), 0.7),
    ),
    sparsity: config.geometryDensities.map((density) => ({
      ...picture(geometryDimensions, independentFeatures(geometryFeatures, density)),
      ...{ restarts: 1, few: false },
    })),
    phases: phasePoints(config.phaseGrid).map(({ density, relativeImportance }) => ({
      ...picture(1, independentFeatures(2, density)),
      importance: Float32Array.of(1, relativeImportance),
    })),
  }
}

/** Densities from 1 to 0.01 and importances of the second feature from 0.1 to 10, each at equal distances of their logarithms. */
function phasePoints(grid: number): { density: number; relativeImportance: number }[] {
  const steps = Array.from({ length: grid }, (_, i) => (grid === 1 ? 0.5 : i / (grid - 1)))
  return steps.flatMap((s) =>
    steps.map((t) => ({ density: 10 ** (-2 * s), relativeImportance: 10 ** (2 * t - 1) })),
  )
}

/** Trains a model as often as asked for, and describes the one of the lowest loss. @throws MonosemError interrupted */
export async function drawPicture(
  kernels: Kernels,
  { distribution, dimensions, importance, restarts, few }: PictureRequest,
  config: ToyConfig,
  context: Pick<StageContext, 'signal'>,
): Promise<ToyPicture> {
  const speed = few ? speedOfFew(config, distribution) : speedOfMany(config)
  let best: TrainedToy | null = null
  for (let i = 0; i < restarts; i++) {
    const training: ToyTraining = { distribution, dimensions, importance, ...speed, seed: config.seed + i }
    const trained = await trainToy(kernels, training, context)
    if (!best || trained.loss < best.loss) best = trained
  }
  const { model, loss } = best as TrainedToy
  const { dimensionsPerFeature, represented, norms, dimensionalities } = measureGeometry(model)
  return {
    ...{ distribution, dimensions, importance: [...importance], loss, dimensionsPerFeature, represented },
    ...{ norms: [...norms], dimensionalities: [...dimensionalities], w: few ? [...model.w] : null },
  }
}

const speedOfMany = ({ toySteps, toyBatch, toyLearningRate }: ToyConfig) => ({
  ...{ steps: toySteps, batchSize: toyBatch, learningRate: toyLearningRate },
})

/** Fewer steps, in batches in which each feature is active a hundred times if that takes no more than 32,768 numbers. */
function speedOfFew(
  { toySteps, toyBatch, toyLearningRate }: ToyConfig,
  { density, features }: FeatureDistribution,
) {
  const enough = Math.min(Math.ceil(100 / density), Math.ceil(32_768 / features))
  const batchSize = Math.max(Math.ceil(toyBatch / 4), enough)
  return { steps: Math.ceil(toySteps / 2), batchSize, learningRate: toyLearningRate }
}
