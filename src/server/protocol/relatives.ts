import { z } from '@hono/zod-openapi'
import { count } from './common.js'
import { exampleSchema } from './features.js'

// A feature in the other dictionaries that its run was compared with.

/** A feature of one of several dictionaries that were compared, in the tree of what splits into what. */
const treeNodeSchema = z.object({
  size: count.describe('which dictionary: index into `sizes`; a child is in the next larger one'),
  feature: count.describe('its number there'),
  here: z.boolean().describe('the feature that was asked for'),
  fires: count.describe('tokens that it fired on'),
  fate: z
    .string()
    .describe(
      'what becomes of it in the next larger dictionary: kept, split, lost, last, underpowered, dead',
    ),
  cosine: z.number().nullable().describe('with its parent: of the decoder rows'),
  correlation: z.number().nullable().describe('with its parent: of the activations'),
  tokens: z.array(z.string()).describe('those with the largest shares of its activation'),
  explanation: z.string().nullable(),
  hidden: count.describe('children that are left out here'),
})

export const featureTreeSchema = z
  .object({
    sizes: z.array(count).describe('F of each dictionary, smallest first'),
    nodes: z
      .array(treeNodeSchema)
      .describe('the root first, each followed by all below it; depth is the size'),
  })
  .openapi('FeatureTree')
export type FeatureTree = z.infer<typeof featureTreeSchema>

/** The feature of another model's dictionary that is most like this one. */
export const partnerSchema = z
  .object({
    comparison: z.string().describe('directory of the comparison in the run'),
    other: z
      .string()
      .describe('directory of the run, or of what stands for it, that holds the other dictionary'),
    feature: count.describe('its number there'),
    correlation: z
      .number()
      .describe('of the activations over the same tokens (Pearson), where partners were chosen'),
    heldOut: z
      .number()
      .nullable()
      .describe('the same on text that did not choose; null where one of them never fired'),
    logitSimilarity: z.number().nullable().describe('of the logit weights of the two'),
    byLogits: z
      .object({ feature: count, similarity: z.number() })
      .nullable()
      .describe('the partner by logit weights; null where these do not exist'),
    mutual: z.boolean().describe('this feature is the partner of its partner'),
    tokens: z.array(z.string()).describe('that it fires on most; empty without its feature store'),
    max: z.number(),
    examples: z.array(exampleSchema).describe('its top examples; empty without its feature store'),
    missing: z
      .string()
      .nullable()
      .describe('how to make the feature store of the other dictionary where it is not there'),
  })
  .openapi('Partner')
export type Partner = z.infer<typeof partnerSchema>

export const relativesSchema = z
  .object({
    tree: featureTreeSchema
      .nullable()
      .describe('null: the run has no comparison of dictionary sizes that this one is part of'),
    partners: z
      .array(partnerSchema)
      .describe('one for each comparison with another model in which it has one'),
    withoutPartner: z
      .array(z.string())
      .describe('comparisons in which it fired too seldom, or nothing was like it'),
  })
  .openapi('Relatives')
export type Relatives = z.infer<typeof relativesSchema>
