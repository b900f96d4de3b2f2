import type { Slice } from '../../distributed/mesh.js'
import type { SaeStepOptions } from '../../kernels/kernels.js'
import type { Random } from '../../random/random.js'
import { adamOptions } from '../adam-options.js'
import type { InitialStatistics } from '../initial-statistics.js'
import { isTranscoder, type ResolvedSaeConfig } from '../sae-config.js'
import { fillUnitRows } from '../sae-params.js'
import { warmUp } from '../schedule.js'
import type { StepPosition } from './architecture.js'

/** What every architecture's step has: the optimizer, clipping, what is trained, AuxK where it was chosen, and what to do with bad rows. */
export function commonStepOptions(
  config: ResolvedSaeConfig,
  position: StepPosition,
): Pick<SaeStepOptions, 'adam' | 'gradientClip' | 'freezeDecoder' | 'auxK' | 'badRows'> {
  const usesAuxK = config.deadFeatures === 'auxk' && config.auxKCoefficient > 0
  return {
    adam: adamOptions(config, position),
    ...(config.gradientClip > 0 && { gradientClip: config.gradientClip }),
    ...(config.freezeDecoder && { freezeDecoder: true }),
    ...(usesAuxK && {
      auxK: {
        k: Math.min(config.auxK, config.features),
        coefficient: config.auxKCoefficient,
        deadAfterTokens: config.deadAfterTokens,
      },
    }),
    badRows: config.badActivations,
  }
}

/**
 * K at a step: it falls linearly from initialK to k over the first `kAnnealFraction` of the steps. While many features may be active, all of them find
 * something to do; with k from the start, those that lose the first race die.
 */
export function activeFeatures(config: ResolvedSaeConfig, { step, totalSteps }: StepPosition): number {
  const { k, initialK, kAnnealFraction } = config
  const steps = kAnnealFraction * totalSteps
  const left = steps < 1 ? 0 : Math.max(0, 1 - step / steps)
  return Math.round(k + (initialK - k) * left)
}

/** Share of the sparsity penalty that applies at a step: features find directions before they are made sparse. */
export function sparsityShare(config: ResolvedSaeConfig, { step, totalSteps }: StepPosition): number {
  return warmUp(step, config.sparsityWarmupFraction * totalSteps)
}

/** b_dec can only be subtracted from the input where it lives in the same space. */
export function subtractsDecoderBias(config: ResolvedSaeConfig): boolean {
  return !isTranscoder(config)
}

/**
 * Decoder rows of norm 1 in random directions, and encoder rows in the same directions at norm `encoderNorm`. A transcoder's encoder
 * lives in another space and gets random directions of its own.
 * @returns the rows of the features in `slice`
 */
export function randomDirections(
  config: ResolvedSaeConfig,
  { d, dOut }: Pick<InitialStatistics, 'd' | 'dOut'>,
  random: Random,
  encoderNorm: number,
  slice: Slice = allFeatures(config),
): { wEnc: Float32Array; wDec: Float32Array } {
  const unitRows = (width: number) =>
    sliceOfRows(config.features, slice, random, 2 * width, (count) => {
      const rows = new Float32Array(count * width)
      fillUnitRows(rows, width, () => random.normal())
      return rows
    })
  const wDec = unitRows(dOut)
  const source = isTranscoder(config) ? unitRows(d) : wDec
  return { wEnc: source.map((w) => w * encoderNorm), wDec }
}

export const allFeatures = ({ features }: Pick<ResolvedSaeConfig, 'features'>): Slice => ({
  first: 0,
  count: features,
})

/**
 * Some rows of a matrix whose rows are drawn one after the other, the same as in the whole matrix: the numbers of the others are left out. (A unit row that is
 * all but zero is drawn again, which is not foreseen here and does not happen to rows of more than one number.)
 * @param drawsPerRow numbers that `random` gives for a row
 */
export function sliceOfRows(
  rows: number,
  { first, count }: Slice,
  random: Random,
  drawsPerRow: number,
  draw: (count: number) => Float32Array,
): Float32Array {
  random.skip(first * drawsPerRow)
  const drawn = draw(count)
  random.skip((rows - first - count) * drawsPerRow)
  return drawn
}

/**
 * Norm of encoder rows, tied to unit decoder rows, at which x_hat is about x from the start when half of the F features fire: each
 * row overlaps with 1/D of the input, so F/2 * norm / D = 1/2. At norm 1 the first x_hat would be F/D times too long.
 */
export const balancedEncoderNorm = (features: number, d: number): number => Math.min(1, d / features)

/** b_enc [F] = -W_enc mean: pre-activations that are 0 on average although nothing is subtracted from x. */
export function centredBias(wEnc: Float32Array, mean: Float32Array): Float32Array {
  const d = mean.length
  const bias = new Float32Array(wEnc.length / d)
  for (let j = 0; j < bias.length; j++) for (let c = 0; c < d; c++) bias[j] -= wEnc[j * d + c] * mean[c]
  return bias
}

/** z with P(Z > z) = p <= 1/2 for a standard normal Z, to 4.5e-4 (Abramowitz & Stegun 1964, 26.2.23). */
export function upperQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p))
  const numerator = 2.515517 + t * (0.802853 + t * 0.010328)
  return t - numerator / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}
