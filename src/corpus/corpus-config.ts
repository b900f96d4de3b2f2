import { z } from 'zod'

/** Everything that decides what the corpus stage makes. 1 MB is 1,000,000 bytes. */
export const corpusConfigSchema = z.object({
  text: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'files or globs (.txt .md .jsonl .json .csv .parquet) to use instead of the built-in corpus; of the hub as hf://datasets/owner/name/*.parquet',
    ),
  field: z
    .string()
    .min(1)
    .default('text')
    .describe('field of .jsonl, .json, .csv and .parquet that holds the text'),
  skipBad: z
    .boolean()
    .default(false)
    .describe('skip and count lines, rows and files that cannot be read, instead of stopping'),
  sizeMb: z
    .number()
    .min(1)
    .max(100)
    .default(24)
    .describe(
      'size of the built-in corpus, MB of UTF-8; a larger one repeats no text, so it may end up smaller',
    ),
  tokenizer: z
    .string()
    .min(1)
    .optional()
    .describe(
      'tokenizer of a model, instead of training one: a directory, a tokenizer.json, or an id on the Hugging Face hub',
    ),
  revision: z
    .string()
    .min(1)
    .optional()
    .describe("branch, tag or commit of the tokenizer's repository (default: main)"),
  vocabularySize: z
    .int()
    .min(258)
    .max(262144)
    .default(4096)
    .describe('tokens of the byte-level BPE: <|endoftext|>, 256 bytes, the rest merges'),
  tokenizerSampleMb: z
    .number()
    .positive()
    .max(1000)
    .default(12)
    .describe('how much of the training text the BPE is trained on, MB'),
  validationFraction: z
    .number()
    .positive()
    .max(0.5)
    .default(0.05)
    .describe('share of the text held out for validation, by document, of every kind'),
  seed: z
    .int()
    .min(0)
    .max(4294967295)
    .default(0)
    .describe('seed of the generated texts, the order and the split'),
})

export type CorpusConfig = z.infer<typeof corpusConfigSchema>
