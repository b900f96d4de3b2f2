import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'

const addedToken = z
  .object({
    id: z.int().min(0),
    content: z.string().min(1),
    single_word: z.boolean().default(false),
    lstrip: z.boolean().default(false),
    rstrip: z.boolean().default(false),
    normalized: z.boolean().optional(),
    special: z.boolean().default(false),
  })
  .transform((token) => ({ ...token, normalized: token.normalized ?? !token.special }))

/** An entry of `added_tokens`: found in a text before the model sees it. */
export type AddedToken = z.infer<typeof addedToken>

const pattern = z.union([z.object({ String: z.string() }), z.object({ Regex: z.string() })])
const behavior = z.enum(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'])

const normalizerStep = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents']) }),
  z.object({ type: z.literal('Replace'), pattern, content: z.string() }),
  z.object({ type: z.literal('Prepend'), prepend: z.string() }),
  z.object({ type: z.literal('Strip'), strip_left: z.boolean(), strip_right: z.boolean() }),
  z.looseObject({ type: z.enum(['Precompiled', 'BertNormalizer']) }),
])

/** One step that changes text before it is cut. */
export type NormalizerStep = z.infer<typeof normalizerStep>

const preTokenizerStep = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ByteLevel'),
    add_prefix_space: z.boolean().default(true),
    use_regex: z.boolean().default(true),
  }),
  z.object({ type: z.literal('Split'), pattern, behavior, invert: z.boolean().default(false) }),
  z.object({ type: z.literal('Digits'), individual_digits: z.boolean().default(false) }),
  z.object({
    type: z.literal('Metaspace'),
    replacement: z.string().length(1).default('▁'),
    prepend_scheme: z.enum(['first', 'never', 'always']).optional(),
    add_prefix_space: z.boolean().optional(),
    split: z.boolean().default(true),
  }),
])

/** One step that cuts text into the pieces that the model never joins. */
export type PreTokenizerStep = z.infer<typeof preTokenizerStep>

const decoderStep = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ByteLevel') }),
  z.object({ type: z.literal('ByteFallback') }),
  z.object({ type: z.literal('Fuse') }),
  z.object({ type: z.literal('Replace'), pattern: z.object({ String: z.string() }), content: z.string() }),
  z.object({
    type: z.literal('Strip'),
    content: z.string().length(1),
    start: z.int().min(0),
    stop: z.int().min(0),
  }),
  z.object({
    type: z.literal('Metaspace'),
    replacement: z.string().length(1).default('▁'),
    prepend_scheme: z.enum(['first', 'never', 'always']).optional(),
    add_prefix_space: z.boolean().optional(),
  }),
])

/** One step that turns tokens back into text. */
export type DecoderStep = z.infer<typeof decoderStep>

/** A step, a Sequence of steps, or null, as a flat list. */
const steps = <Step extends z.ZodType>(key: string, step: Step) =>
  z.preprocess((value) => flatten(value, key, 0), z.array(step))

/** Deeper than any Sequence in a Sequence that makes sense. */
const MAX_DEPTH = 8

function flatten(value: unknown, key: string, depth: number): unknown[] {
  if (value === null || value === undefined) return []
  const parts = (value as Record<string, unknown>)[key]
  const isSequence = (value as { type?: unknown }).type === 'Sequence' && Array.isArray(parts)
  return isSequence && depth < MAX_DEPTH ? parts.flatMap((part) => flatten(part, key, depth + 1)) : [value]
}

const absent = z.union([z.null(), z.literal('')]).optional()

/** Hundreds of thousands of entries, so not by a schema for each. */
const vocabulary = z.custom<Record<string, number>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((id) => Number.isInteger(id) && (id as number) >= 0),
  'expected an object of ids by token',
)

const isMerge = (merge: unknown): boolean =>
  typeof merge === 'string'
    ? merge.includes(' ', 1)
    : Array.isArray(merge) &&
      merge.length === 2 &&
      merge.every((part) => typeof part === 'string' && part !== '')

const merges = z.custom<Array<string | [string, string]>>(
  (value) => Array.isArray(value) && value.every(isMerge),
  'expected an array of pairs of tokens',
)

const pieces = z.custom<Array<[string, number]>>(
  (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((piece) => Array.isArray(piece) && typeof piece[0] === 'string' && Number.isFinite(piece[1])),
  'expected an array of tokens and their scores',
)

const bpe = z.object({
  type: z.literal('BPE'),
  dropout: z.union([z.null(), z.literal(0)]).optional(),
  continuing_subword_prefix: absent,
  end_of_word_suffix: absent,
  unk_token: z.string().nullish(),
  fuse_unk: z.boolean().default(false),
  byte_fallback: z.boolean().default(false),
  ignore_merges: z.boolean().default(false),
  vocab: vocabulary,
  merges,
})

const unigram = z.object({
  type: z.literal('Unigram'),
  unk_id: z.int().min(0).nullish(),
  byte_fallback: z.boolean().default(false),
  vocab: pieces,
})

/** Byte-pair encoding. */
export type BpeModel = z.infer<typeof bpe>
/** A unigram language model over pieces (Kudo 2018). */
export type UnigramModel = z.infer<typeof unigram>

const templateStep = z.union([
  z.object({ SpecialToken: z.object({ id: z.string() }) }),
  z.object({ Sequence: z.object({ id: z.enum(['A', 'B']) }) }),
])
const postProcessorStep = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ByteLevel') }),
  z.object({
    type: z.literal('TemplateProcessing'),
    single: z.array(templateStep),
    special_tokens: z.record(z.string(), z.object({ ids: z.array(z.int().min(0)) })),
  }),
])

/** One step that adds special tokens to those of a text. */
export type PostProcessorStep = z.infer<typeof postProcessorStep>

const schema = z.object({
  added_tokens: z.array(addedToken).default([]),
  normalizer: steps('normalizers', normalizerStep),
  pre_tokenizer: steps('pretokenizers', preTokenizerStep),
  post_processor: steps('processors', postProcessorStep),
  decoder: steps('decoders', decoderStep),
  model: z.preprocess(withType, z.discriminatedUnion('type', [bpe, unigram])),
})

/** A tokenizer.json of Hugging Face's `tokenizers`, with Sequences as lists. */
export type TokenizerDocument = z.infer<typeof schema>

/** The oldest files do not say what their model is. */
function withType(model: unknown): unknown {
  if (typeof model !== 'object' || model === null || 'type' in model) return model
  return { ...model, type: 'merges' in model ? 'BPE' : 'Unigram' }
}

/** No model has as many tokens; a file that says so would take all memory. */
export const MAX_VOCABULARY = 2 ** 24

const HINT =
  'Monosem reads byte-level BPE, BPE with byte fallback and Unigram: the tokenizers of GPT-2, GPT-NeoX, Llama, Mistral, Qwen and Gemma'

/**
 * Checks a parsed tokenizer.json.
 * @param name what errors call the file
 * @throws MonosemError format (names the first part that is not supported)
 */
export function readTokenizerDocument(value: unknown, name: string): TokenizerDocument {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = deepest(parsed.error.issues)
  throw tokenizerError(name, `${path.join('.')}: ${message}`)
}

/** The error of a file that is not a tokenizer we can read. */
export const tokenizerError = (name: string, message: string, cause?: unknown): MonosemError =>
  new MonosemError('format', `${name}: ${message}`, { hint: HINT, cause })

/** In a union, the issue of the branch that came furthest says most. */
function deepest(
  issues: z.core.$ZodIssue[],
  path: PropertyKey[] = [],
): { path: PropertyKey[]; message: string } {
  const found = issues.map((issue) => {
    const at = [...path, ...issue.path]
    if (issue.code !== 'invalid_union' || issue.errors.length === 0)
      return { path: at, message: issue.message }
    return issue.errors
      .map((branch) => deepest(branch, at))
      .reduce((best, other) => (other.path.length > best.path.length ? other : best))
  })
  return found[0] ?? { path, message: 'not a tokenizer' }
}
