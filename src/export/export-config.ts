import { z } from 'zod'

/** Options of `runExport`. */
export const exportConfigSchema = z.object({
  features: z
    .array(z.string())
    .default([])
    .describe('features to export: numbers and ranges, e.g. 0-99 512; default: all'),
  modelId: z.string().min(1).default('monosem').describe('name of the model in the export'),
  sourceSet: z
    .string()
    .regex(/^[\w.-]+$/)
    .default('sae')
    .describe('name of the autoencoder in the export; Neuronpedia puts the layer in front'),
  layer: z.int().min(0).optional().describe('layer of the hook point; default: what its name says'),
  creator: z.string().min(1).default('monosem').describe('who made it, for Neuronpedia'),
  dataset: z.string().default('').describe('name of the text, where it has one that others know'),
  vectors: z.boolean().default(true).describe('include decoder directions, for steering'),
  batchFeatures: z.int().min(1).max(65536).default(256).describe('features in one file'),
})

export type ExportConfig = z.infer<typeof exportConfigSchema>
