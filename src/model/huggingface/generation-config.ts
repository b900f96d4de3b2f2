import { join } from 'node:path'
import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import { parseFields, readJson } from './fields.js'

/** Token ids that a model was trained with. */
export interface GenerationConfig {
  /** what stands before every text; null where nothing is said */
  startOfText: number | null
  /** what ends a text: generation stops at any of them; [] where nothing is said */
  endOfText: number[]
}

const id = z.int().min(0)
const schema = z.object({
  bos_token_id: id.nullish(),
  eos_token_id: z.union([id, z.array(id)], { error: 'expected a token id or a list of them' }).nullish(),
})

/**
 * Reads `generation_config.json`, and from `config.json` what it leaves out or where it is not there.
 * @throws MonosemError missing (there is no config.json either), format, io
 */
export async function readGenerationConfig(directory: string): Promise<GenerationConfig> {
  const main = await readIds(join(directory, 'config.json'))
  const { bos_token_id, eos_token_id } = await readIds(join(directory, 'generation_config.json')).catch(
    (cause) => {
      if (cause instanceof MonosemError && cause.code === 'missing') return {} as z.output<typeof schema>
      throw cause
    },
  )
  return {
    startOfText: bos_token_id ?? main.bos_token_id ?? null,
    endOfText: [eos_token_id ?? main.eos_token_id ?? []].flat(),
  }
}

async function readIds(path: string): Promise<z.output<typeof schema>> {
  const value = await readJson(path)
  const fields = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  return parseFields(schema, fields, path)
}
