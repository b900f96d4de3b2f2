import { z } from 'zod'
import { parseConfig } from '../config/parse-config.js'
import { type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import { type FeatureModelConfig, featureModelConfigSchema } from './feature-model-config.js'

const positive = () => z.number().int().positive()

/** Options of training that only activations of a language model have. */
const ofLanguageModels = {
  hookName: true,
  targetHookName: true,
  skip: true,
  trainTokens: true,
  expansion: true,
  bufferTokens: true,
  activationDtype: true,
  modelBatch: true,
} as const

/**
 * Options of training on a feature model: those of `SaeConfig`, in samples instead of tokens, with defaults of their own. What was tried before they were
 * chosen is in `docs/synthetic.md`.
 */
export const syntheticSaeConfigSchema = saeConfigSchema.omit(ofLanguageModels).extend({
  architecture: saeConfigSchema.shape.architecture
    .unwrap()
    .default('batchtopk')
    .describe(saeConfigSchema.shape.architecture.description ?? ''),
  samples: positive().default(20_000_000).describe('samples to train on'),
  features: positive().default(4096).describe('F, number of features (latents) of the autoencoder'),
  k: positive()
    .default(25)
    .describe(saeConfigSchema.shape.k.description ?? ''),
  initialK: positive()
    .optional()
    .describe(
      'topk, batchtopk, matryoshka: active features per sample at the start, from where they fall to --k (default: 3 times --k)',
    ),
  prefixes: z
    .array(z.number().positive())
    .min(1)
    .default([1 / 32, 1 / 8, 1 / 2, 1])
    .describe(
      'matryoshka: nested parts of the dictionary that must reconstruct by themselves, as shares of the features or as counts',
    ),
  batchSize: positive().default(1024).describe('samples per step'),
  deadAfterTokens: positive()
    .default(20_000)
    .describe('samples without firing after which a feature counts as dead'),
  auxK: positive().default(32).describe('auxk: dead features that model the error of each sample'),
  learningRate: z.number().positive().default(5e-4).describe('peak learning rate of Adam'),
  beta2: z.number().min(0).max(1).default(0.99).describe('decay of the second moment of Adam'),
  warmupFraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('share of the steps in which the learning rate rises from 0'),
  decayFraction: z
    .number()
    .min(0)
    .max(1)
    .default(1 / 3)
    .describe('share of the steps, at the end, in which the learning rate falls to 0'),
})

/** How the trained autoencoder is compared with the true features. */
const recoveryConfigSchema = z.strictObject({
  evaluationSamples: positive()
    .default(262_144)
    .describe('held-out samples on which the autoencoder is compared with the true features'),
})

export type RecoveryConfig = z.infer<typeof recoveryConfigSchema>

/** Everything that `monosem synth train` and `synth sweep` can be asked for: the world, the autoencoder, the comparison. */
export const syntheticConfigSchema = z.strictObject({
  ...syntheticSaeConfigSchema.shape,
  ...recoveryConfigSchema.shape,
  ...featureModelConfigSchema.shape,
})

export type SyntheticConfig = z.infer<typeof syntheticConfigSchema>

/** What `metadata.hook_name` of an autoencoder says that was trained on a feature model. */
const syntheticHookName = 'synthetic'

/** The parts of a configuration, each as its own stage wants it. */
export function splitSyntheticConfig(config: SyntheticConfig): {
  sae: SaeConfig
  world: FeatureModelConfig
  recovery: RecoveryConfig
} {
  const { samples, ...sae } = pick(config, syntheticSaeConfigSchema)
  const { initialK = Math.min(3 * sae.k, sae.features) } = sae
  return {
    sae: parseConfig(saeConfigSchema, {
      ...sae,
      initialK,
      trainTokens: samples,
      hookName: syntheticHookName,
    }),
    world: pick(config, featureModelConfigSchema),
    recovery: pick(config, recoveryConfigSchema),
  }
}

/** The fields of one of the schemas that a configuration was put together from. */
function pick<S extends z.ZodObject>(config: SyntheticConfig, schema: S): z.infer<S> {
  const names = Object.keys(schema.shape)
  return Object.fromEntries(Object.entries(config).filter(([name]) => names.includes(name))) as z.infer<S>
}
