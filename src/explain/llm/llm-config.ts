import { z } from 'zod'

/** Options of everything that asks a language model. */
export const llmConfigSchema = z.object({
  baseUrl: z
    .string()
    .default('')
    .describe(
      'address of the server, e.g. http://localhost:11434/v1 for Ollama; needed for compatible:MODEL',
    ),
  concurrency: z.int().min(1).max(256).default(4).describe('requests under way at a time'),
  timeout: z
    .number()
    .min(0.01)
    .max(300)
    .default(300)
    .describe('seconds to wait for an answer; Node itself gives up on a silent server after 300'),
  retries: z
    .int()
    .min(0)
    .max(20)
    .default(5)
    .describe('further attempts after a busy or failing server, a timeout or a broken connection'),
  backoff: z
    .number()
    .min(0)
    .max(60)
    .default(1)
    .describe(
      'seconds before the first further attempt; doubles each time. Retry-After is waited for if longer',
    ),
  maxOutputTokens: z
    .int()
    .min(0)
    .default(16_384)
    .describe(
      'tokens that one answer may have: lower it for a server with a short context; 0 leaves it to the server',
    ),
  temperature: z.number().min(0).max(2).default(0).describe('randomness of the answers'),
  structuredOutput: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe('hold answers to a JSON schema; auto does so until the server refuses'),
  maxTokensBudget: z
    .int()
    .min(0)
    .default(0)
    .describe('stop when answers have used this many input and output tokens; 0 is no limit'),
  maxCost: z.number().min(0).default(0).describe('stop when answers have cost this much; 0 is no limit'),
  inputPrice: z.number().min(0).default(0).describe('price of a million input tokens, in any currency'),
  outputPrice: z.number().min(0).default(0).describe('price of a million output tokens'),
  cacheDirectory: z
    .string()
    .default('')
    .describe('directory that keeps answers, so that nothing is asked (and paid) twice; empty keeps none'),
})

export type LlmConfig = z.infer<typeof llmConfigSchema>
