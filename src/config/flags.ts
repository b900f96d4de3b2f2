import { type Command, Option } from 'commander'
import type { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { type Field, fieldsOf } from './fields.js'
import { kebabCase, parseConfig } from './parse-config.js'

export interface FlagOptions {
  /** fields that get no flag, because the command sets them itself */
  skip?: readonly string[]
  /** defaults of this command where they differ from the schema's */
  defaults?: Record<string, unknown>
}

/**
 * Adds one flag for each field of a configuration schema: `batchSize` becomes `--batch-size <number>`, a boolean
 * `--flag` / `--no-flag`, an enum lists its choices, an array takes several values. Help shows meaning, unit and default.
 */
export function addFlags(command: Command, schema: z.ZodObject, options: FlagOptions = {}): Command {
  for (const field of fieldsOf(schema)) {
    if (options.skip?.includes(field.name)) continue
    const fallback = options.defaults?.[field.name] ?? field.default
    for (const option of optionsOf({ ...field, default: fallback })) command.addOption(option)
  }
  return command
}

function optionsOf(field: Field): Option[] {
  const flag = kebabCase(field.name)
  const description = [field.description, showDefault(field.default)].filter(Boolean).join(' ')
  if (field.kind === 'boolean') {
    const on = new Option(`--${flag}`, description)
    const off = new Option(`--no-${flag}`, `turn off: ${description}`)
    return [on.hideHelp(field.default === true), off.hideHelp(field.default !== true)]
  }
  const value = {
    number: 'number',
    string: 'text',
    array: field.element === 'number' ? 'number...' : 'text...',
  }[field.kind]
  const option = new Option(`--${flag} <${value}>`, description)
  if (field.choices) option.choices(field.choices)
  return [option]
}

function showDefault(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'boolean') return ''
  const short = (one: unknown): unknown =>
    Number.isInteger(one) || typeof one !== 'number' ? one : Number(one.toPrecision(4))
  const text = [value].flat().map(short).join(' ')
  return text === '' ? '' : `(default: ${text})`
}

/**
 * What was asked for on the command line, with defaults filled in and everything checked. Only flags that were really given override
 * `base`, so that a file or a preset below them keeps its say.
 * @throws MonosemError config: names the flag, what was expected and what came
 */
export function readFlags<S extends z.ZodObject>(
  command: Command,
  schema: S,
  base: Record<string, unknown> = {},
): z.infer<S> {
  return parseConfig(schema, { ...base, ...givenFlags(command, schema) }, (name) => `--${kebabCase(name)}`)
}

/** The fields of a schema that were given on the command line, converted to their types but not yet checked. */
export function givenFlags(command: Command, schema: z.ZodObject): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const field of fieldsOf(schema))
    if (command.getOptionValueSource(field.name) === 'cli')
      values[field.name] = convert(field, command.getOptionValue(field.name))
  return values
}

/** Text to number where a number is wanted; what is no number stays text, so that the check can quote it. */
function convert(field: Field, value: unknown): unknown {
  if (field.kind === 'array')
    return (Array.isArray(value) ? value : [value]).map((v) => (field.element === 'number' ? toNumber(v) : v))
  return field.kind === 'number' ? toNumber(value) : value
}

const multiples: Record<string, number> = { k: 1e3, K: 1e3, M: 1e6, B: 1e9 }

/** `20_000_000`, `2e7` and `20M` are the same number; k, M and B stand for a thousand, a million and a billion. */
function toNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const [, number, multiple] = /^([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)([kMB])?$/i.exec(value) ?? []
  if (number === undefined) return value
  const plain = Number(number.replaceAll('_', ''))
  if (multiple === undefined) return plain
  const factor = multiples[multiple]
  // 0.3 million is 300,000, not 299,999.99999999994
  return factor === undefined ? value : Number((plain * factor).toPrecision(15))
}

/**
 * Reads `stage.field=value` settings, as a command that runs several stages takes them: `sae.features=512`.
 * @param schemas the schema of each stage by name
 * @throws MonosemError config, for an unknown stage or field (values are checked later, by `parseConfig`)
 */
export function readSettings(
  settings: readonly string[],
  schemas: Record<string, z.ZodObject>,
): Record<string, Record<string, unknown>> {
  const values: Record<string, Record<string, unknown>> = {}
  for (const setting of settings) {
    const [, stage, name, text] = /^([^.=]+)\.([^.=]+)=(.*)$/s.exec(setting) ?? []
    if (stage === undefined || name === undefined)
      throw new MonosemError('config', `--set: expected stage.option=value, got ${JSON.stringify(setting)}`, {
        hint: 'for example --set sae.features=512',
      })
    const schema = schemas[stage]
    const field = schema && fieldsOf(schema).find((f) => f.name === name)
    if (!field)
      throw new MonosemError('config', `--set: ${stage}.${name} is not an option`, {
        hint: schema
          ? `options of ${stage}: ${Object.keys(schema.shape).join(', ')}`
          : `stages: ${Object.keys(schemas).join(', ')}`,
      })
    values[stage] ??= {}
    values[stage][name] = convertText(field, text ?? '')
  }
  return values
}

/** A value written as text, as `--set` and `--vary` take it, converted to the type of its field but not yet checked. */
export function convertText(field: Field, text: string): unknown {
  if (field.kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return convert(field, field.kind === 'array' ? text.split(',') : text)
}
