import { z } from 'zod'

const density = () => z.number().positive().max(1)
const count = (largest: number) => z.int().min(1).max(largest)

/** Options of the `toy` stage. */
export const toyConfigSchema = z.object({
  features: count(10_000)
    .default(100)
    .describe('n, features of the toy model that an autoencoder is to recover'),
  dimensions: count(10_000).default(20).describe('m, its hidden dimensions: overcompleteness is n / m'),
  density: density()
    .default(0.01)
    .describe('probability that a feature is active, 1 - S; it is then uniform in [0, 1]'),
  importanceDecay: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe("weight of feature i's error is this to the power of i; 1 for equal weights"),
  dictionarySize: z
    .number()
    .positive()
    .max(64)
    .default(2)
    .describe('F / n, features of the autoencoder for each true one'),
  architectures: z
    .array(z.enum(['relu', 'topk', 'batchtopk']))
    .min(1)
    .default(['relu', 'topk'])
    .describe('autoencoders that look for the features: relu, topk, batchtopk'),
  l1Coefficient: z.number().positive().default(4).describe('relu: lambda, weight of the L1 penalty'),
  k: count(1000)
    .optional()
    .describe(
      'topk, batchtopk: active features per sample (default: the mean number of true ones and a standard deviation, n p + sqrt(n p (1 - p)))',
    ),
  sweeps: z
    .boolean()
    .default(true)
    .describe('also vary sparsity, overcompleteness, dictionary size, lambda and k'),
  densities: z
    .array(density())
    .min(1)
    .default([0.003, 0.01, 0.03, 0.1, 0.3])
    .describe('sweep: feature densities, with each overcompleteness'),
  overcompleteness: z
    .array(z.number().min(1))
    .min(1)
    .default([2, 5, 10])
    .describe('sweep: n / m, with each density'),
  dictionarySizes: z
    .array(z.number().positive().max(64))
    .min(1)
    .default([0.5, 1, 2, 4])
    .describe('sweep: F / n'),
  l1Coefficients: z
    .array(z.number().positive())
    .min(1)
    .default([0.5, 1, 2, 4, 8, 16])
    .describe('sweep: lambda, for relu'),
  ks: z.array(count(1000)).min(1).default([1, 2, 3, 4, 8]).describe('sweep: k, for topk and batchtopk'),
  trainSamples: count(1e9).default(500_000).describe('samples that each autoencoder trains on'),
  learningRate: z.number().positive().default(1e-2).describe('peak learning rate of the autoencoders'),
  geometry: z
    .boolean()
    .default(true)
    .describe('also draw how features lie in few dimensions, over sparsity, importance and correlation'),
  geometryFeatures: count(2000)
    .default(100)
    .describe('geometry: features of the models whose dimensions per feature are measured over sparsity'),
  geometryDimensions: count(2000).default(10).describe('geometry: their hidden dimensions'),
  geometryDensities: z
    .array(density())
    .min(1)
    .default([
      1, 0.8, 0.65, 0.5, 0.4, 0.32, 0.25, 0.2, 0.16, 0.125, 0.1, 0.08, 0.063, 0.05, 0.04, 0.032, 0.025,
    ])
    .describe('geometry: their feature densities'),
  phaseGrid: count(50)
    .default(7)
    .describe(
      'geometry: densities, and relative importances, of the phase diagram of 2 features in 1 dimension',
    ),
  restarts: count(100)
    .default(5)
    .describe(
      'geometry: models of few features are trained this often, and the one of the lowest loss is shown',
    ),
  toySteps: count(1e6).default(2000).describe('steps that each toy model trains'),
  toyBatch: count(1e6).default(1024).describe('samples per step of a toy model'),
  toyLearningRate: z
    .number()
    .positive()
    .default(1e-2)
    .describe('learning rate of the toy models at the start'),
  seed: z.int().min(0).max(0xffffffff).default(0).describe('seed of every random choice'),
})

export type ToyConfig = z.infer<typeof toyConfigSchema>
