import { rowNorm } from '../sae-params.js'
import type { ReadSae } from './read-sae.js'
import type { SaeConventions } from './sae-file.js'
import { saelensArchitecture, saelensKnows } from './saelens-config.js'

/** An autoencoder in figures and words: what `monosem sae info` shows. */
export interface SaeDescription {
  /** what was asked for */
  source: string
  repository: string | null
  commit: string | null
  files: string[]
  /** what was seen that decided about the layout */
  detected: string
  d: number
  dOut: number
  features: number
  parameters: number
  conventions: SaeConventions
  /** of the weights as Monosem runs them, everything folded in */
  decoderNorm: Range
  /** null without thresholds */
  threshold: Range | null
  /** whether W_skip is there */
  skipConnection: boolean
  /** architecture in SAELens's words, and whether it has it */
  saelens: { architecture: string; loads: boolean }
  warnings: string[]
}

export interface Range {
  smallest: number
  mean: number
  largest: number
}

/** Everything that can be said of an autoencoder without activations. */
export function describeSae(read: ReadSae): SaeDescription {
  const { config, arrays, source } = read
  const dOut = config.d_out ?? config.d_in
  const norms = Array.from({ length: config.d_sae }, (_, j) =>
    rowNorm(arrays.wDec.subarray(j * dOut, (j + 1) * dOut)),
  )
  const { threshold, wSkip } = arrays
  return {
    source: source.name,
    repository: source.repository,
    commit: source.commit,
    files: read.files,
    detected: read.detected,
    d: config.d_in,
    dOut,
    features: config.d_sae,
    parameters: Object.values(arrays).reduce(
      (sum, array: Float32Array | undefined) => sum + (array?.length ?? 0),
      0,
    ),
    conventions: read.conventions,
    decoderNorm: rangeOf(norms),
    threshold: threshold ? rangeOf(threshold) : null,
    skipConnection: wSkip !== undefined,
    saelens: { architecture: config.architecture, loads: saelensKnows(saelensArchitecture(config)) },
    warnings: read.warnings,
  }
}

function rangeOf(values: ArrayLike<number>): Range {
  let [smallest, sum, largest] = [Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < values.length; i++) {
    smallest = Math.min(smallest, values[i])
    largest = Math.max(largest, values[i])
    sum += values[i]
  }
  return { smallest, mean: sum / values.length, largest }
}
