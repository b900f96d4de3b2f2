import { z } from 'zod'
import { shown } from '../../errors/shown.js'
import type { TransformerOptions } from '../transformer-config.js'
import { parseFields, unsupported } from './fields.js'

type Rotary = NonNullable<TransformerOptions['rotary']>

const positive = z.number().positive()

const ropeSchema = z.object({
  rope_type: z.string().optional(),
  /** its older name */
  type: z.string().optional(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: positive.max(1).nullish(),
})

const linearSchema = z.object({ factor: positive })

const llama3Schema = z.object({
  factor: positive,
  low_freq_factor: positive,
  high_freq_factor: positive,
  original_max_position_embeddings: z.int().min(1).optional(),
})

/** What the family and the top level of its configuration say. */
export interface RotaryDefaults {
  headWidth: number
  /** longest sequence, in tokens */
  context: number
  base: number
  /** share of a head's dimensions that turn. Where none is given, the family turns all of them */
  fraction?: number
}

/**
 * Rotary positions from `rope_scaling` (older) or `rope_parameters` (newer); what is in there goes before the top level's.
 * @throws MonosemError format
 */
export function readRotary(value: Record<string, unknown>, path: string, defaults: RotaryDefaults): Rotary {
  const [key, rope] = ropeFields(value, path)
  const at = `${path}: ${key}`
  const fields = parseFields(ropeSchema, rope, at)
  const fraction = fields.partial_rotary_factor ?? defaults.fraction ?? value.partial_rotary_factor ?? 1
  if (typeof fraction !== 'number' || (defaults.fraction === undefined && fraction !== 1))
    throw unsupported(path, `partial_rotary_factor: expected 1 in this family, got ${shown(fraction)}`)
  return {
    ...evenDimensions(Math.floor(defaults.headWidth * fraction), fields.rope_theta ?? defaults.base),
    scaling: readScaling(fields.rope_type ?? fields.type ?? 'default', rope, value, at, defaults.context),
  }
}

/**
 * An odd number n of dimensions (a quarter of a head of 12) makes (n + 1) / 2 pairs in transformers, pair i of which turns by
 * base^(-2i/n) at each position. So n + 1 dimensions turn, with the base that gives the same angles: base^((n + 1) / n).
 */
function evenDimensions(n: number, base: number): { dimensions: number; base: number } {
  return n % 2 === 0 ? { dimensions: n, base } : { dimensions: n + 1, base: base ** ((n + 1) / n) }
}

function readScaling(
  type: string,
  rope: Record<string, unknown>,
  value: Record<string, unknown>,
  at: string,
  context: number,
): Rotary['scaling'] {
  if (type === 'default') return null
  if (type === 'linear') return { kind: 'linear', factor: parseFields(linearSchema, rope, at).factor }
  if (type === 'llama3') {
    const top = value.original_max_position_embeddings
    const fields = parseFields(
      llama3Schema,
      top === undefined ? rope : { ...rope, original_max_position_embeddings: top },
      at,
    )
    const { low_freq_factor: low, high_freq_factor: high } = fields
    if (high <= low)
      throw unsupported(at, `high_freq_factor: expected more than low_freq_factor ${low}, got ${high}`)
    return {
      kind: 'llama3',
      factor: fields.factor,
      lowFrequencyFactor: low,
      highFrequencyFactor: high,
      originalContext: fields.original_max_position_embeddings ?? context,
    }
  }
  throw unsupported(at, `rope_type: expected default, linear or llama3, got ${shown(type)}`)
}

/** The object that describes the rotation, and its key; {} where there is none. */
function ropeFields(value: Record<string, unknown>, path: string): [string, Record<string, unknown>] {
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const rope = value[key]
    if (rope === undefined || rope === null) continue
    if (typeof rope !== 'object' || Array.isArray(rope))
      throw unsupported(path, `${key}: expected an object, got ${shown(rope)}`)
    const nested = Object.entries(rope).find(([, part]) => typeof part === 'object' && part !== null)
    if (nested)
      throw unsupported(path, `${key}: expected one rotation for all layers, got one for ${nested[0]}`)
    if (Object.keys(rope).length > 0) return [key, rope as Record<string, unknown>]
  }
  return ['rope_parameters', {}]
}
