import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

/** Every baseline, in the order of the report. */
export const baselineNames = [
  'frozen-decoder',
  'pca',
  'neurons',
  'random-init',
  'shuffled',
  're-randomized',
] as const

export type BaselineName = (typeof baselineNames)[number]

const positive = () => z.int().min(1)

/** Options of `monosem baselines`. */
export const baselinesConfigSchema = z.object({
  only: z
    .array(z.enum(baselineNames))
    .min(1)
    .default(['frozen-decoder', 'pca', 'neurons', 'random-init', 'shuffled'])
    .describe('baselines to make and to compare with'),
  trainTokens: positive()
    .optional()
    .describe(
      'tokens to train baselines on; with another number than the autoencoder had, it is trained once more on as many, and that one is compared ' +
        '(default: as many as the autoencoder had)',
    ),
  pcaTokens: positive()
    .default(500_000)
    .describe('activations that mean and covariance are taken from, for pca and neurons'),
  keepEmbeddings: z
    .boolean()
    .default(false)
    .describe('random models keep the embedding, the positions and the unembedding of the trained one'),
  seed: z.int().min(0).default(0).describe('seed of the random models'),
  tokens: positive().default(300_000).describe('validation tokens to evaluate on, spread over the split'),
  meanTokens: positive()
    .default(32_768)
    .describe('tokens of the sample that the mean for mean ablation is taken from'),
  batchWindows,
})

export type BaselinesConfig = z.infer<typeof baselinesConfigSchema>
