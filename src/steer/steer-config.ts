import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { generateConfigSchema } from '../model/sample-config.js'

/** A strength that makes sense: beyond 100 times the maximum only noise is left. */
const strength = z.number().min(-100).max(100)

/** What is done to which features, and on which tokens. */
const editOptions = {
  mode: z
    .enum(['clamp', 'add', 'ablate', 'replace'])
    .default('clamp')
    .describe(
      'set the activation to the strength, add the strength to it, or set it to 0; replace: clamp without the error term, a diagnostic',
    ),
  unit: z
    .enum(['max', 'activation'])
    .default('max')
    .describe(
      "what strengths are counted in: multiples of each feature's largest activation, or plain activations",
    ),
  scope: z
    .enum(['all', 'generated', 'positions'])
    .default('all')
    .describe(
      'tokens to steer: all, from the last token of the prompt on (generated), or those at --positions',
    ),
  positions: z
    .array(z.int().min(0))
    .default([])
    .describe('token positions to steer; the start of the document is 0'),
  skipBos: z.boolean().default(true).describe('leave the start-of-text token alone'),
}

const feature = z.string().min(1).describe('numbers of the features, separated by commas')

/** Options of writing: as for sampling, with shorter texts. */
const writing = {
  ...generateConfigSchema.shape,
  maxTokens: generateConfigSchema.shape.maxTokens
    .removeDefault()
    .max(2000)
    .default(60)
    .describe('tokens to write'),
}

/** Options of `steer`. */
export const steerConfigSchema = z.object({
  feature,
  prompt: z.string().default('').describe('text to continue; a document starts where it is empty'),
  strength: strength.default(5).describe('strength of steering, see --unit'),
  ...editOptions,
  movers: z.int().min(0).max(1000).default(8).describe('tokens to list whose probability changes most'),
  sweep: z
    .string()
    .default('')
    .describe('strengths separated by commas, e.g. 0,1,2,5,10: compare effect and coherence instead'),
  samples: z.int().min(1).max(1000).default(8).describe('texts to write for each strength of a sweep'),
  concept: z
    .string()
    .default('')
    .describe(
      'also measure this in a sweep: arabic, hebrew, dna, base64, or your own name=regular expression',
    ),
  ...writing,
})

export type SteerConfig = z.infer<typeof steerConfigSchema>

/** Options of `influence`. */
export const influenceConfigSchema = z.object({
  feature: z
    .string()
    .default('')
    .describe(
      "numbers of the features, separated by commas; without, the best of those whose output tokens (or the run's case studies) speak for the concept",
    ),
  candidates: z.int().min(1).max(10_000).default(32).describe('features to try at most, where none is named'),
  concept: z
    .string()
    .min(1)
    .describe('what to count: arabic, hebrew, dna, base64, or your own name=regular expression'),
  strength: strength.default(5).describe('strength of steering, see --unit'),
  ...editOptions,
  samples: z.int().min(1).max(1000).default(4).describe('continuations of each prompt'),
  prompts: z
    .array(z.string())
    .default([])
    .describe('prompts to continue instead of the built-in neutral English ones'),
  resamples: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(2000)
    .describe('resamples of the texts for the confidence interval'),
  ...writing,
  maxTokens: writing.maxTokens.removeDefault().default(40).describe('tokens to write'),
})

export type InfluenceConfig = z.infer<typeof influenceConfigSchema>

/** Strengths of a sweep from text like "0,1,5". @throws MonosemError config */
export function parseStrengths(text: string): number[] {
  return text.split(',').map((part) => {
    const parsed = strength.safeParse(part.trim() === '' ? Number.NaN : Number(part))
    if (parsed.success) return parsed.data
    throw new MonosemError(
      'config',
      `sweep: expected numbers from -100 to 100, got ${JSON.stringify(part)}`,
      {
        hint: 'for example --sweep 0,1,2,5,10',
      },
    )
  })
}
