import { z } from 'zod'

const count = () => z.number().int().nonnegative()
const positive = () => z.number().int().positive()

/**
 * A world of known features. The defaults are SynthSAEBench-16k (Chanin & Garriga-Alonso 2026, arXiv 2602.14687). Names differ from those of
 * an autoencoder's configuration, so that one command can have both.
 */
export const featureModelConfigSchema = z.strictObject({
  trueFeatures: positive().default(16_384).describe('G, features of the world'),
  width: positive().default(768).describe('D, dimensions of the activations'),
  zipfExponent: z
    .number()
    .positive()
    .default(0.5)
    .describe('how fast firing probabilities fall with the rank of a feature'),
  maxProbability: z
    .number()
    .positive()
    .max(1)
    .default(0.4)
    .describe('firing probability of the first feature'),
  minProbability: z
    .number()
    .positive()
    .max(1)
    .default(5e-4)
    .describe('firing probability of the last feature'),
  roots: count().default(128).describe('trees of the hierarchy; 0 for none'),
  branching: positive().default(4).describe('children of each feature that has any'),
  depth: count().default(3).describe('levels of the hierarchy below its roots'),
  exclusiveSiblings: z.boolean().default(true).describe('at most one child of a feature fires at a time'),
  compensateProbabilities: z
    .boolean()
    .default(true)
    .describe('children fire more often where they may, to make up for the time where they may not'),
  scaleByParent: z
    .boolean()
    .default(true)
    .describe("a child's magnitude is multiplied by its parent's, as a share of the parent's mean"),
  correlationRank: positive().max(256).default(25).describe('rank of the correlations between features'),
  correlationScale: z
    .number()
    .nonnegative()
    .default(0.1)
    .describe('standard deviation of the loadings of the correlations; 0 for independent features'),
  magnitudeFirst: z.number().positive().default(5).describe('mean magnitude of the first feature'),
  magnitudeLast: z.number().positive().default(4).describe('mean magnitude of the last; linear between'),
  spreadMean: z
    .number()
    .nonnegative()
    .default(0.5)
    .describe(
      "mean of the normal distribution, folded at 0, that each magnitude's standard deviation is drawn from",
    ),
  spreadStd: z.number().nonnegative().default(0.5).describe('standard deviation of that distribution'),
  biasNorm: z
    .number()
    .nonnegative()
    .default(0.5)
    .describe('norm of the vector that is added to every activation'),
  orthogonalizationSteps: count()
    .default(10)
    .describe('steps that spread the directions out (published: 100 at a rate of 0.0003)'),
  orthogonalizationRate: z.number().positive().default(3e-3).describe('learning rate of Adam in these steps'),
  modelSeed: count().default(42).describe('seed of everything that makes the world'),
})

export type FeatureModelConfig = z.infer<typeof featureModelConfigSchema>
