import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'

const size = z.int().min(1)
const positive = z.number().positive()

/**
 * How positions turn queries and keys: dimension pair i of R/2 turns by position * base^(-2i/R), changed by `scaling`.
 * `linear`: all positions divided by `factor`. `llama3`: slow pairs divided by `factor`, fast ones kept, a ramp in between (Dubey et al. 2024).
 */
const rotarySchema = z.strictObject({
  /** R, dimensions of each head that turn; even, at most headWidth */
  dimensions: size,
  base: positive,
  scaling: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('linear'), factor: positive }),
      z.strictObject({
        kind: z.literal('llama3'),
        factor: positive,
        lowFrequencyFactor: positive,
        highFrequencyFactor: positive,
        /** positions of the context that the model was first trained with */
        originalContext: size,
      }),
    ])
    .nullable()
    .default(null),
})

/** Sizes of a transformer and the choices that make its family. Defaults are those of the models that Monosem trains (GPT-2's). */
const transformerConfigSchema = z
  .object({
    /** name of the Hugging Face family, or monosem */
    family: z.string().default('monosem'),
    layers: size,
    /** D, width of the residual stream */
    dModel: size,
    /** H, query heads of each block */
    heads: size,
    /** M, neurons of each MLP */
    dMlp: size,
    /** the longest sequence, in tokens */
    context: size,
    /** V */
    vocabularySize: size,
    /** W, width of a head. Default: dModel / heads */
    headWidth: size.optional(),
    /** G, heads of keys and values, a divisor of H (grouped-query attention). Default: heads */
    keyValueHeads: size.optional(),
    /** layer: LayerNorm with scale and bias. rms: RMSNorm with scale; where a checkpoint stores w of 1 + w, the 1 is added on loading */
    norm: z.enum(['layer', 'rms']).default('layer'),
    normEpsilon: positive.default(1e-5),
    /** norms of what attention and MLP write as well, before it is added (Gemma 2) */
    postNorms: z.boolean().default(false),
    /** RMSNorm of each head's queries and keys before they turn (Qwen 3) */
    queryKeyNorms: z.boolean().default(false),
    /** learned position embeddings, added to the token's; otherwise `rotary` */
    learnedPositions: z.boolean().default(true),
    rotary: rotarySchema.nullable().default(null),
    /** attention and MLP both read resid_pre (GPT-NeoX); there is no hook_resid_mid then */
    parallelResidual: z.boolean().default(false),
    activation: z.enum(['gelu', 'gelu_tanh', 'silu', 'relu']).default('gelu_tanh'),
    /** neurons are act(x W_gate) * (x W_in) instead of act(x W_in) */
    gatedMlp: z.boolean().default(false),
    /** biases of W_Q, W_K and W_V; of W_O; of W_in, W_gate and W_out */
    queryKeyValueBias: z.boolean().default(true),
    outputBias: z.boolean().default(true),
    mlpBias: z.boolean().default(true),
    /** scores are this times q k^T. Default: 1 / sqrt(headWidth) */
    attentionScale: positive.optional(),
    attentionSoftCap: positive.nullable().default(null),
    logitSoftCap: positive.nullable().default(null),
    /** by layer: how many positions, its own included, a position attends to; null for all. [] for none */
    windows: z.array(size.nullable()).default([]),
    /** token embeddings are multiplied by it (Gemma: sqrt(D)) */
    embeddingScale: positive.default(1),
    /** logits come from W_E once more; there is no W_U */
    tiedEmbeddings: z.boolean().default(false),
  })
  .transform((config) => ({
    ...config,
    headWidth: config.headWidth ?? Math.floor(config.dModel / config.heads),
    keyValueHeads: config.keyValueHeads ?? config.heads,
    attentionScale:
      config.attentionScale ?? 1 / Math.sqrt(config.headWidth ?? Math.floor(config.dModel / config.heads)),
  }))

/** Every choice made. */
export type TransformerConfig = z.output<typeof transformerConfigSchema>

/** What has to be said. */
export type TransformerOptions = z.input<typeof transformerConfigSchema>

/**
 * Fills in defaults and checks that the choices fit together.
 * @param source for messages: a file, or what asked for the model
 * @throws MonosemError config
 */
export function transformerConfig(
  options: TransformerOptions,
  source = 'model/transformer',
): TransformerConfig {
  const parsed = transformerConfigSchema.safeParse(options)
  const fail = (message: string, hint?: string): never => {
    throw new MonosemError('config', `${source}: ${message}`, hint === undefined ? {} : { hint })
  }
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return fail(`${issue.path.join('.')}: ${issue.message}`)
  }
  const config = parsed.data
  const { dModel, heads, headWidth, keyValueHeads, rotary, windows, layers } = config
  if (options.headWidth === undefined && dModel % heads !== 0)
    fail(`expected heads to divide dModel ${dModel}, got ${heads}`, 'choose dModel as a multiple of heads')
  if (heads % keyValueHeads !== 0)
    fail(`expected keyValueHeads to divide heads ${heads}, got ${keyValueHeads}`)
  if (rotary && (rotary.dimensions % 2 !== 0 || rotary.dimensions > headWidth))
    fail(
      `expected an even number of rotary dimensions up to the head width ${headWidth}, got ${rotary.dimensions}`,
    )
  if (windows.length !== 0 && windows.length !== layers)
    fail(`expected windows of 0 or ${layers} layers, got ${windows.length}`)
  return config
}
