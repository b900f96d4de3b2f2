import { z } from '@hono/zod-openapi'
import { count, featureId, interval, share } from './common.js'

// Runs, and the overview of one.

/** One served run directory. */
export const runInfoSchema = z
  .object({
    run: z.string().describe('short name, part of every address'),
    directory: z.string().describe('as it was given to the server'),
    hookName: z.string().describe('where in the model the activations come from'),
    features: count.describe('F, number of features'),
    context: count.nullable().describe('tokens that the model sees at once; null without a model'),
    has: z
      .object({
        model: z.boolean().describe('texts can be run, attributed and steered'),
        map: z.boolean(),
        explanations: z.boolean(),
        ablation: z.boolean(),
        relatives: z.boolean().describe('it was compared with other dictionaries'),
      })
      .describe('what the run directory holds besides its features'),
  })
  .openapi('Run')
export type RunInfo = z.infer<typeof runInfoSchema>

export const runListSchema = z
  .object({ version: z.string(), runs: z.array(runInfoSchema) })
  .openapi('RunList')
export type RunList = z.infer<typeof runListSchema>

/** A number from a file of the run: every figure can be traced. */
export const figureSchema = z
  .object({
    name: z.string().describe('name of the figure, e.g. explainedVariance'),
    label: z.string(),
    value: z.number().nullable().describe('null: not defined on this sample'),
    unit: z.enum(['count', 'share', 'nats', 'bits', 'rate', 'number']),
    interval: interval.nullable(),
    explanation: z.string().describe('one line: what the figure means'),
    source: z.string().describe('file and field that it comes from, e.g. eval/eval.json: explainedVariance'),
  })
  .openapi('Figure')
export type Figure = z.infer<typeof figureSchema>

/** A curve over training: columns of equal length. */
export const curveSchema = z
  .object({
    name: z.string().describe('e.g. loss'),
    tokens: z.array(z.number()).describe('training tokens so far'),
    values: z.array(z.number().nullable()),
  })
  .openapi('Curve')
export type Curve = z.infer<typeof curveSchema>

/** One autoencoder on the plane of sparsity and fidelity. */
export const frontierPointSchema = z
  .object({
    run: z.string(),
    name: z.string().describe('directory of the evaluation'),
    architecture: z.string(),
    features: count,
    l0: z.number(),
    lossRecovered: z.number().nullable(),
  })
  .openapi('FrontierPoint')
export type FrontierPoint = z.infer<typeof frontierPointSchema>

export const overviewSchema = z
  .object({
    run: runInfoSchema,
    corpus: z
      .object({
        figures: z.array(figureSchema),
        kinds: z.array(z.object({ name: z.string(), documents: count, bytes: count, tokens: count })),
      })
      .nullable(),
    model: z.object({ figures: z.array(figureSchema), curves: z.array(curveSchema) }).nullable(),
    sae: z
      .object({ architecture: z.string(), figures: z.array(figureSchema), curves: z.array(curveSchema) })
      .nullable(),
    evaluation: z.object({ figures: z.array(figureSchema) }).nullable(),
    density: z
      .object({
        edges: z.array(z.number()).describe('log10 of the share of tokens, one more than counts'),
        counts: z.array(count),
        dead: count,
        source: z.string(),
      })
      .nullable(),
    explanations: z.object({ figures: z.array(figureSchema) }).nullable(),
    caseStudies: z
      .array(
        z.object({
          name: z.string(),
          feature: featureId.nullable(),
          correlation: z.number().nullable(),
          precisionAboveHalfMax: share.nullable(),
          recall: share.nullable(),
          bestNeuronCorrelation: z.number().nullable(),
        }),
      )
      .nullable(),
    frontier: z.array(frontierPointSchema).describe('all evaluations of all served runs'),
    reports: z.array(
      z.object({ name: z.string(), href: z.string().describe('address below /api/v1/runs/{run}/') }),
    ),
    problems: z
      .array(z.object({ part: z.string(), message: z.string(), hint: z.string().nullable() }))
      .describe('parts that could not be read, and why: they are null above'),
  })
  .openapi('Overview')
export type Overview = z.infer<typeof overviewSchema>
