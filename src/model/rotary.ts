import type { TransformerConfig } from './transformer-config.js'

/** How positions turn queries and keys. */
export type Rotary = NonNullable<TransformerConfig['rotary']>

/**
 * Radians per position [R/2] by which each pair of dimensions turns (Su et al. 2021): base^(-2i/R), then scaled. Rounded to f32 at the same places as
 * the models' own code: at position 100,000 that matters.
 */
export function rotaryFrequencies({ dimensions, base, scaling }: Rotary): Float32Array {
  const plain = Float32Array.from(
    { length: dimensions / 2 },
    (_, i) => 1 / Math.fround(base ** ((2 * i) / dimensions)),
  )
  if (scaling === null) return plain
  if (scaling.kind === 'linear') return plain.map((frequency) => frequency / scaling.factor)
  // Dubey et al. 2024 (Llama 3.1): what turns less than lowFrequencyFactor times in the original context is slowed down by the factor, what turns more
  // than highFrequencyFactor times is kept, and between them the two are mixed.
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext } = scaling
  return plain.map((frequency) => {
    const turns = (originalContext * frequency) / (2 * Math.PI)
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)))
    return kept * frequency + ((1 - kept) * frequency) / factor
  })
}

/** Cosines and sines [positions, R/2] of the angle of each pair of dimensions at each position. */
export function rotaryTables(
  rotary: Rotary,
  positions: number,
): { cos: Float32Array; sin: Float32Array; shape: [number, number] } {
  const frequencies = rotaryFrequencies(rotary)
  const pairs = frequencies.length
  const cos = new Float32Array(positions * pairs)
  const sin = new Float32Array(positions * pairs)
  for (let position = 0; position < positions; position++)
    for (let i = 0; i < pairs; i++) {
      const angle = Math.fround(position * frequencies[i])
      cos[position * pairs + i] = Math.cos(angle)
      sin[position * pairs + i] = Math.sin(angle)
    }
  return { cos, sin, shape: [positions, pairs] }
}
