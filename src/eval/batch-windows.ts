import { z } from 'zod'

/** The option of every stage that runs a model over windows of text. */
export const batchWindows = z.int().min(1).max(4096).default(16).describe('windows of text per forward pass')
