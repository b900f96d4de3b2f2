import { z } from 'zod'
import { readSettings } from '../config/flags.js'
import { kebabCase, parseConfig } from '../config/parse-config.js'
import { corpusConfigSchema } from '../corpus/corpus-config.js'
import { evalConfigSchema } from '../eval/eval-config.js'
import { explainConfigSchema } from '../explain/explain-config.js'
import { ablationConfigSchema } from '../features/ablation-config.js'
import { featuresConfigSchema } from '../features/features-config.js'
import { mapConfigSchema } from '../features/map-config.js'
import { caseStudiesConfigSchema } from '../interp/case-studies-config.js'
import { modelConfigSchema } from '../model/model-config.js'
import { saeConfigSchema } from '../sae/sae-config.js'

/** Less text for explanations than `monosem explain` takes, which goes on from there. */
const demoExplainSchema = explainConfigSchema.extend({
  explainTokens: explainConfigSchema.shape.explainTokens.default(150_000),
  scoreTokens: explainConfigSchema.shape.scoreTokens.default(150_000),
})

/** The stages of a demo run in order, by the name of their directory, with the schemas of their options. */
export const stageSchemas = {
  corpus: corpusConfigSchema,
  model: modelConfigSchema,
  sae: saeConfigSchema,
  eval: evalConfigSchema,
  features: featuresConfigSchema,
  'feature-map': mapConfigSchema,
  ablation: ablationConfigSchema,
  'case-studies': caseStudiesConfigSchema,
  explanations: demoExplainSchema,
  'feature-pages': z.object({}),
} as const

export type StageName = keyof typeof stageSchemas
export type StageConfigs = { [S in StageName]: z.infer<(typeof stageSchemas)[S]> }

/** Options of a stage that the demo offers under their own names. */
const corpusOptions = corpusConfigSchema.pick({ text: true, field: true, skipBad: true }).shape
const saeOptions = saeConfigSchema.pick({
  architecture: true,
  k: true,
  l1Coefficient: true,
  features: true,
}).shape

export const demoSchema = z.object({
  out: z
    .string()
    .min(1)
    .default('runs/demo')
    .describe('run directory; each stage writes one directory below it'),
  quick: z.boolean().default(false).describe('a smaller run: less text, shorter training, fewer features'),
  seed: z.int().min(0).max(0xffffffff).default(0).describe('seed of every random choice in every stage'),
  ...corpusOptions,
  ...saeOptions,
  set: z
    .array(z.string())
    .default([])
    .describe(
      `any other option of a stage, as stage.option=value, e.g. model.layers=2 sae.trainTokens=20000000 (stages: ${Object.keys(stageSchemas).join(', ')})`,
    ),
  serve: z
    .boolean()
    .optional()
    .describe(
      'serve the feature browser at the end, until Ctrl-C; default: where standard output is a terminal; --no-serve: never',
    ),
})

export type DemoConfig = z.infer<typeof demoSchema>

type Overrides = { [S in StageName]?: Record<string, unknown> }

/** What `--quick` changes. */
export const quickOverrides: Overrides = {
  corpus: { sizeMb: 6, tokenizerSampleMb: 3, vocabularySize: 2048 },
  model: { trainTokens: 1_200_000, evalTokens: 100_000 },
  sae: {
    features: 2048,
    trainTokens: 900_000,
    deadAfterTokens: 60_000,
    bufferTokens: 131_072,
    measureTokens: 65_536,
  },
  eval: { tokens: 50_000, meanTokens: 16_384 },
  features: { tokens: 150_000 },
  explanations: { explainTokens: 75_000, scoreTokens: 75_000 },
}

/**
 * The configuration of every stage. What comes later wins: defaults, `--quick`, the demo's own flags, `--set`.
 * @param given the flags that were really given, so that a default of the demo does not undo `--quick`
 * @throws MonosemError config: names the option as the user wrote it
 */
export function stageConfigs(config: DemoConfig, given: Record<string, unknown>): StageConfigs {
  const settings = readSettings(config.set, stageSchemas)
  const named: Overrides = { corpus: only(given, corpusOptions), sae: only(given, saeOptions) }
  const configs: Record<string, unknown> = {}
  for (const stage of Object.keys(stageSchemas) as StageName[]) {
    const schema = stageSchemas[stage]
    const asked = { ...named[stage], ...settings[stage] }
    const values = {
      ...('seed' in schema.shape && { seed: config.seed }),
      ...(config.quick && quickFor(stage, asked)),
      ...asked,
    }
    const fromFlag = (name: string): boolean =>
      name in (named[stage] ?? {}) && !(name in (settings[stage] ?? {}))
    configs[stage] = parseConfig(schema, values, (name) =>
      fromFlag(name) ? `--${kebabCase(name)}` : `--set ${stage}.${name}`,
    )
  }
  return configs as StageConfigs
}

/** What `--quick` changes where nothing else was asked for: a number of features and an expansion exclude each other. */
function quickFor(stage: StageName, asked: Record<string, unknown>): Record<string, unknown> {
  const { features, ...others } = quickOverrides[stage] ?? {}
  return features === undefined || 'expansion' in asked ? others : { ...others, features }
}

const only = (values: Record<string, unknown>, shape: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([name]) => name in shape))
