import { z } from 'zod'
import { batchWindows } from '../eval/batch-windows.js'

/**
 * Which examples an explanation is made from and scored on. Defaults are the counts of Bricken et al. 2023, "Towards
 * Monosemanticity", appendix "Automated interpretability": 49 examples to explain, 60 to predict.
 */
export const evidenceConfigSchema = z.object({
  explainTokens: z
    .int()
    .min(1)
    .default(300_000)
    .describe('tokens of training text that explanations are made from, spread over the split'),
  scoreTokens: z
    .int()
    .min(1)
    .default(300_000)
    .describe('tokens of validation text that explanations are scored on, spread over the split'),
  intervals: z
    .int()
    .min(1)
    .max(16)
    .default(12)
    .describe('equal activation intervals between 0 and the maximum that examples are drawn from'),
  perInterval: z.int().min(0).max(10).default(2).describe('random examples from each interval'),
  explainTop: z.int().min(0).max(100).default(10).describe('largest activations to explain'),
  explainRandom: z.int().min(0).max(100).default(5).describe('random places to explain'),
  explainOutOfContext: z
    .int()
    .min(0)
    .max(100)
    .default(10)
    .describe('top tokens without the feature, to explain'),
  scoreTop: z.int().min(0).max(100).default(6).describe('largest activations to score on'),
  scoreRandom: z.int().min(0).max(100).default(10).describe('random places to score on'),
  scoreOutOfContext: z
    .int()
    .min(0)
    .max(100)
    .default(20)
    .describe('top tokens without the feature, to score on'),
  scoreNeighbours: z
    .int()
    .min(0)
    .max(100)
    .default(10)
    .describe('places where a nearest feature is active and this one is not, for detection and its like'),
  predictTokens: z
    .int()
    .min(1)
    .max(128)
    .default(9)
    .describe('tokens around the middle of an example that are predicted'),
  contextBefore: z.int().min(0).max(512).default(20).describe('tokens kept before the example token'),
  contextAfter: z.int().min(0).max(512).default(11).describe('tokens kept after the example token'),
  minExamples: z
    .int()
    .min(0)
    .default(20)
    .describe('features active on fewer tokens of either text are dropped'),
  batchWindows,
  seed: z.int().min(0).default(0).describe('seed of the random draw of examples'),
})

export type EvidenceConfig = z.infer<typeof evidenceConfigSchema>

/** How many examples of each group one set has at most. */
export interface ExampleCounts {
  top: number
  intervals: number
  perInterval: number
  random: number
  outOfContext: number
  neighbours: number
}

/** The counts of the two sets. */
export function exampleCounts(config: EvidenceConfig): { explain: ExampleCounts; score: ExampleCounts } {
  const { intervals, perInterval } = config
  return {
    explain: {
      top: config.explainTop,
      intervals,
      perInterval,
      random: config.explainRandom,
      outOfContext: config.explainOutOfContext,
      neighbours: 0,
    },
    score: {
      top: config.scoreTop,
      intervals,
      perInterval,
      random: config.scoreRandom,
      outOfContext: config.scoreOutOfContext,
      neighbours: config.scoreNeighbours,
    },
  }
}
