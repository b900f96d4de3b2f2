import type { Tokenizer } from '../corpus/tokenizer.js'
import type { Kernels } from '../kernels/kernels.js'
import { type Continuation, continueTexts, type PassRows, type Prompt } from './generate.js'
import { chainHooks, type HooksOption, hooksOf } from './hook-layers.js'
import { type GradientOptions, type GradientResult, runGradients } from './run-gradients.js'
import { type RunOptions, type RunResult, runTokens } from './run-tokens.js'
import type { GenerateConfig } from './sample-config.js'
import { type StreamedToken, streamTexts } from './stream-texts.js'
import type { TokenInput } from './token-batch.js'
import {
  freeTransformer,
  hookNames,
  hookWidth,
  type Transformer,
  type TransformerConfig,
} from './transformer.js'

/** Options of writing, and what may take part in it. */
export interface WriteOptions extends Partial<GenerateConfig> {
  /** called in every forward pass, on its new positions */
  hooks?: HooksOption
  /** stops with `interrupted` */
  signal?: AbortSignal
}

/**
 * A language model with its tokenizer: `loadModel` makes one. What its functions give back is in JavaScript's own memory; only the weights
 * are the kernels', and `free` (or `using model = await loadModel(...)`) gives them back.
 *
 * Legend: B sequences, T positions, V vocabulary. Hook points have TransformerLens's names.
 */
export interface LanguageModel {
  /** what it was loaded as: a name on the hub, or a directory */
  readonly name: string
  readonly config: TransformerConfig
  readonly tokenizer: Tokenizer
  readonly kernels: Kernels
  /** the parameters, for functions that work on tensors */
  readonly transformer: Transformer
  /** names of all hook points, in the order in which a pass reaches them */
  hookNames(): string[]
  /** width of the activation at a hook point. @throws MonosemError config (no such hook point, or an attention pattern) */
  hookWidth(name: string): number
  /** ids of a text, as the model is to read it: the start-of-text token first, unless `prependBos` is false */
  tokenize(text: string, options?: { prependBos?: boolean }): number[]
  /** Runs token ids through the model: logits, losses, activations. See `RunOptions`. */
  forward(tokens: TokenInput, options?: RunOptions): Promise<RunResult>
  /** Gradients at hook points of the loss, or of a function of the logits. See `GradientOptions`. */
  gradients(tokens: TokenInput, options: GradientOptions): Promise<GradientResult>
  /** Continues prompts token by token: texts, each after the start of a text, or lists of token ids as they are. */
  generate(
    prompts: string | readonly Prompt[],
    options?: WriteOptions,
  ): AsyncGenerator<StreamedToken, void, void>
  /** Continues prompts and gives the texts when they are finished. */
  write(prompts: readonly Prompt[], options?: WriteOptions): Promise<Continuation[]>
  /** The same model, on the same weights, with hooks in every pass; hooks of a call see what these leave. Freeing it frees nothing. */
  withHooks(hooks: HooksOption): LanguageModel
  /** Gives the weights back; using the model, or one made from it, later is an error. */
  free(): void
  [Symbol.dispose](): void
}

/** A transformer and its tokenizer as a `LanguageModel`, which then owns the transformer. */
export function createLanguageModel(
  transformer: Transformer,
  tokenizer: Tokenizer,
  name: string,
): LanguageModel {
  const free = () => freeTransformer(transformer)
  return withLayers({ transformer, tokenizer, name, free }, [])
}

interface Parts {
  transformer: Transformer
  tokenizer: Tokenizer
  name: string
  free(): void
}

function withLayers(parts: Parts, layers: readonly HooksOption[]): LanguageModel {
  const { transformer, tokenizer, name, free } = parts
  const { config, kernels } = transformer
  const writing = ({ hooks, signal, ...config }: WriteOptions) => {
    const all = [...layers, hooks]
    const ofPass = (rows: PassRows) => chainHooks(all.map((layer) => hooksOf(layer, rows)))
    return { config, context: { signal, hooks: ofPass } }
  }
  return {
    ...{ name, config, tokenizer, kernels, transformer },
    hookNames: () => hookNames(config),
    hookWidth: (hook) => hookWidth(config, hook),
    tokenize: (text, { prependBos = true } = {}) => [
      ...(prependBos ? [tokenizer.startOfText] : []),
      ...tokenizer.encode(text),
    ],
    forward: (tokens, options) => runTokens(transformer, tokens, options, layers),
    gradients: (tokens, options) => runGradients(transformer, tokens, options, layers),
    generate(prompts, options = {}) {
      const { config, context } = writing(options)
      return streamTexts(
        transformer,
        tokenizer,
        typeof prompts === 'string' ? [prompts] : prompts,
        config,
        context,
      )
    },
    write(prompts, options = {}) {
      const { config, context } = writing(options)
      return continueTexts(transformer, tokenizer, prompts, config, context)
    },
    withHooks: (hooks) => withLayers({ ...parts, free: () => {} }, [...layers, hooks]),
    free,
    [Symbol.dispose]: free,
  }
}
