import { z } from 'zod'

/** Options of the `model` stage: the transformer's sizes and how it is trained. */
export const modelConfigSchema = z.object({
  layers: z.int().min(1).max(96).default(1).describe('transformer blocks'),
  dModel: z.int().min(1).max(16_384).default(128).describe('width of the residual stream'),
  heads: z.int().min(1).max(256).default(4).describe('attention heads per block; must divide the width'),
  dMlp: z.int().min(1).max(65_536).default(512).describe('neurons of each MLP'),
  context: z.int().min(2).max(8192).default(128).describe('sequence length, tokens'),
  batchSize: z.int().min(1).max(65_536).default(16).describe('sequences per training step'),
  trainTokens: z
    .int()
    .min(0)
    .default(5_000_000)
    .describe('tokens to train on; 0 for one pass over the training split'),
  learningRate: z.number().gt(0).max(1).default(5e-3).describe('peak learning rate of AdamW'),
  warmupSteps: z.int().min(0).default(100).describe('steps in which the learning rate rises from zero'),
  minLearningRateFraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('learning rate at the end of the cosine decay, as a fraction of the peak'),
  weightDecay: z.number().min(0).max(10).default(0.1).describe('decoupled weight decay, on matrices only'),
  beta1: z.number().min(0).lt(1).default(0.9).describe('decay of the first moment of AdamW'),
  beta2: z.number().min(0).lt(1).default(0.99).describe('decay of the second moment of AdamW'),
  gradientClip: z.number().gt(0).default(1).describe('largest L2 norm of the whole gradient'),
  checkpointEverySeconds: z
    .number()
    .min(0)
    .default(30)
    .describe('time between checkpoints, seconds; 0 for one after every step'),
  evalTokens: z
    .int()
    .min(0)
    .default(500_000)
    .describe('validation tokens to measure on, spread over the split; 0 for all'),
  seed: z
    .int()
    .min(0)
    .max(0xffffffff)
    .default(0)
    .describe('seed of the initialisation and of the order of the text'),
})

export type ModelConfig = z.infer<typeof modelConfigSchema>
