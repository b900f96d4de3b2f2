import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { BYTE_CHARACTERS, charactersToBytes, GPT2_PATTERN } from './byte-level.js'

/** The special token that stands before every document. */
export const END_OF_TEXT = '<|endoftext|>'

/** A byte-level BPE as tokenizer.json describes it. */
export interface TokenizerTables {
  /** token of each id, in the characters of tokenizer.json, [V] */
  tokens: string[]
  /** id of each byte's token, [256] */
  byteIds: Int32Array
  /** [left, right, merged] ids in order of rank */
  merges: Array<[number, number, number]>
  endOfText: number
}

/**
 * Writes a byte-level BPE as a standard tokenizer.json. The pre-tokenizer is GPT-2's, given as a Split with its pattern and
 * not as ByteLevel's own `use_regex`, because Hugging Face's JavaScript library treats U+0085 and U+FEFF differently there.
 * @param tokens token of each id; id 0 is `<|endoftext|>`
 * @param merges pairs of tokens in order of rank
 */
export function writeTokenizerJson(tokens: string[], merges: Array<[string, string]>): string {
  const document = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: 0,
        content: END_OF_TEXT,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: GPT2_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
  return `${JSON.stringify(document)}\n`
}

const byteLevel = z.object({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.literal(false),
  use_regex: z.boolean().default(true),
})

const schema = z.object({
  added_tokens: z.array(z.object({ id: z.int().min(0), content: z.string(), special: z.boolean() })),
  normalizer: z.null().optional(),
  pre_tokenizer: z.union([
    byteLevel.extend({ use_regex: z.literal(true).default(true) }),
    z.object({
      type: z.literal('Sequence'),
      pretokenizers: z.tuple([
        z.object({
          type: z.literal('Split'),
          pattern: z.object({ Regex: z.literal(GPT2_PATTERN) }),
          behavior: z.literal('Isolated'),
          invert: z.literal(false),
        }),
        byteLevel.extend({ use_regex: z.literal(false) }),
      ]),
    }),
  ]),
  post_processor: z.union([z.null(), z.object({ type: z.literal('ByteLevel') })]).optional(),
  model: z.object({
    type: z.literal('BPE'),
    dropout: z.union([z.null(), z.literal(0)]).optional(),
    continuing_subword_prefix: z.union([z.null(), z.literal('')]).optional(),
    end_of_word_suffix: z.union([z.null(), z.literal('')]).optional(),
    byte_fallback: z.literal(false).optional(),
    ignore_merges: z.literal(false).optional(),
    vocab: z.record(z.string(), z.int().min(0)),
    merges: z.array(z.union([z.tuple([z.string(), z.string()]), z.string()])),
  }),
})

/** What tells the kind; without the long lists, which are checked when they are read. */
const kindSchema = schema.extend({ model: schema.shape.model.omit({ vocab: true, merges: true }) })

const HINT =
  'Monosem reads byte-level BPE with the pre-tokenizer of GPT-2 and <|endoftext|>; use the tokenizer.json that "corpus build" writes'

/** Whether a parsed tokenizer.json is a byte-level BPE with GPT-2's pre-tokenizer and `<|endoftext|>` as its only added token. */
export function isByteLevelTokenizer(value: unknown): boolean {
  const { success, data } = kindSchema.safeParse(value)
  return success && data.added_tokens.length === 1 && data.added_tokens[0].content === END_OF_TEXT
}

/**
 * Checks a parsed tokenizer.json.
 * @param name what errors call the file
 * @throws MonosemError format
 */
export function readTokenizerJson(value: unknown, name: string): TokenizerTables {
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new MonosemError('format', `${name}: ${issue?.path.join('.')}: ${issue?.message}`, { hint: HINT })
  }
  const fail = (message: string) => new MonosemError('format', `${name}: ${message}`, { hint: HINT })
  const { model, added_tokens: added } = parsed.data
  const endOfText = added.find((token) => token.content === END_OF_TEXT)
  if (!endOfText || added.length !== 1)
    throw fail(
      `expected ${END_OF_TEXT} as the only added token, got ${JSON.stringify(added.map((t) => t.content))}`,
    )
  const ids = new Map(Object.entries(model.vocab)).set(END_OF_TEXT, endOfText.id)
  const tokens = tokensById(ids, fail)
  const byteIds = Int32Array.from(BYTE_CHARACTERS, (character, byte) => {
    const id = ids.get(character)
    if (id === undefined) throw fail(`the vocabulary lacks byte ${byte}`)
    return id
  })
  return { tokens, byteIds, merges: mergeIds(model.merges, ids, fail), endOfText: endOfText.id }
}

function tokensById(ids: Map<string, number>, fail: (message: string) => MonosemError): string[] {
  const tokens: string[] = []
  for (const [token, id] of ids) {
    if (tokens[id] !== undefined)
      throw fail(`tokens ${JSON.stringify(tokens[id])} and ${JSON.stringify(token)} share the id ${id}`)
    if (id >= ids.size) throw fail(`expected ids 0 to ${ids.size - 1}, got ${id}`)
    if (token !== END_OF_TEXT && !charactersToBytes(token))
      throw fail(`token ${JSON.stringify(token)} is not byte-level`)
    tokens[id] = token
  }
  return tokens
}

function mergeIds(
  merges: Array<[string, string] | string>,
  ids: Map<string, number>,
  fail: (message: string) => MonosemError,
): Array<[number, number, number]> {
  const seen = new Set<string>()
  return merges.map((merge, rank) => {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge
    const [left, right] = pair as [string, string]
    const found = [ids.get(left), ids.get(right), ids.get(left + right)]
    if (pair.length !== 2 || found.includes(undefined))
      throw fail(`merge ${rank} ${JSON.stringify(merge)} names a token that is not in the vocabulary`)
    if (seen.has(pair.join(' '))) throw fail(`merge ${rank} ${JSON.stringify(merge)} is there twice`)
    seen.add(pair.join(' '))
    return found as [number, number, number]
  })
}
