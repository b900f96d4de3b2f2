import type { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { type Field, fieldsOf } from './fields.js'
import { convertText } from './flags.js'
import { kebabCase } from './parse-config.js'

/** One combination of values: what to change, and a name for it that can be a directory. */
export interface Variation {
  name: string
  values: Record<string, unknown>
}

/**
 * Reads `field=value,value,...` settings into every combination of their values, the last field changing fastest:
 * `['lr=1,2', 'seed=0,1']` gives `lr-1_seed-0`, `lr-1_seed-1`, `lr-2_seed-0`, `lr-2_seed-1`. Values are checked later, by `parseConfig`.
 * @throws MonosemError config: no such field, one that is a list itself, or a field or a value given twice
 */
export function readVariations(settings: readonly string[], schema: z.ZodObject): Variation[] {
  let variations: Variation[] = [{ name: '', values: {} }]
  const seen = new Set<string>()
  for (const setting of settings) {
    const { field, texts } = readSetting(setting, schema)
    if (seen.has(field.name)) throw wrong(setting, `${field.name} once`)
    seen.add(field.name)
    variations = variations.flatMap(({ name, values }) =>
      texts.map((text) => ({
        name: `${name && `${name}_`}${kebabCase(field.name)}-${text.replaceAll(/[^\w.+-]/g, '-')}`,
        values: { ...values, [field.name]: convertText(field, text) },
      })),
    )
  }
  return variations
}

function readSetting(setting: string, schema: z.ZodObject): { field: Field; texts: string[] } {
  const [, name, list] = /^([^=]+)=(.+)$/s.exec(setting) ?? []
  if (name === undefined || list === undefined) throw wrong(setting, 'option=value,value')
  const field = fieldsOf(schema).find((f) => f.name === name)
  if (!field || field.kind === 'array')
    throw new MonosemError('config', `--vary: ${name} is not an option that can be varied`, {
      hint: `options: ${Object.keys(schema.shape).join(', ')}`,
    })
  const texts = list.split(',').map((text) => text.trim())
  if (new Set(texts).size < texts.length) throw wrong(setting, 'every value once')
  return { field, texts }
}

const wrong = (setting: string, expected: string): MonosemError =>
  new MonosemError('config', `--vary: expected ${expected}, got ${JSON.stringify(setting)}`, {
    hint: 'for example --vary l1Coefficient=2,3,5 --vary seed=0,1',
  })
