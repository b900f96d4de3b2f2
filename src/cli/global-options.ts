import { z } from 'zod'

/** Options that every command takes. */
export const globalSchema = z.object({
  threads: z
    .int()
    .min(0)
    .max(256)
    .default(0)
    .describe(
      'threads of the compute kernels; 0: as many as the machine has cores, shared by the ranks that run on it. Results do not depend on it',
    ),
  kernels: z
    .enum(['auto', 'native', 'reference'])
    .default('auto')
    .describe('compiled kernels, or the slow ones in plain TypeScript; auto: compiled where they were built'),
  json: z
    .boolean()
    .default(false)
    .describe('print the result as JSON, show no progress, report errors as JSON'),
  quiet: z.boolean().default(false).describe('show no progress'),
  debug: z.boolean().default(false).describe('show stack traces of errors'),
})

export type GlobalOptions = z.infer<typeof globalSchema>
