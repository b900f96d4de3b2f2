import { formatNumber } from '../progress/rate.js'

/**
 * What a sample must hold before a number is claimed from it. Every rule of an evaluation is here; docs/metrics.md says why.
 *
 * A count of features that fire more or less often than a share p of the tokens takes 10 / p tokens, so that a feature at the border is expected
 * to fire 10 times. An interval takes 20 documents.
 */
const expectedFires = 10

/** Fewer units than that give no 95% interval: the spread over them is not known well enough. */
export const intervalDocuments = 20

/** Features that fire on more than one token in ten are dense: few kinds of text are that common. */
export const denseDensity = 0.1

/** Features that fire on fewer than one token in a million: the ultra-low-density cluster of Bricken et al. 2023. */
export const ultraLowDensity = 1e-6

/** A number that is not given, and what was missing. */
export interface Underpowered {
  /** the field of the report that is null because of it */
  claim: string
  /** what the sample holds, and what it would have to hold */
  reason: string
}

/** Tokens that it takes to say which features fire more or less often than `density`. */
export const tokensNeeded = (density: number): number => Math.ceil(expectedFires / density)

/**
 * Tokens that it takes to call features dead: at an L0 of 1 the average feature fires on one token in F, so that is the density from which on a
 * feature must have had its chance.
 */
export const tokensForDead = (features: number): number => tokensNeeded(1 / features)

/** What a sample of `tokens` cannot say about how often features fire. */
export function underpoweredDensities(tokens: number, features: number): Underpowered[] {
  const found: Underpowered[] = []
  const require = (claim: string, what: string, needed: number): void => {
    if (tokens >= needed) return
    found.push({
      claim,
      reason: `${what} take ${formatNumber(needed)} tokens, the sample has ${formatNumber(tokens)}`,
    })
  }
  require('density.dead', `dead features among ${formatNumber(features)}`, tokensForDead(features))
  require('density.dense', `features denser than ${denseDensity}`, tokensNeeded(denseDensity))
  require('density.ultraLow', `features below a density of ${ultraLowDensity.toExponential()}`, tokensNeeded(
    ultraLowDensity,
  ))
  return found
}

/** What too few documents cannot say. */
export function underpoweredIntervals(documents: number): Underpowered[] {
  if (documents >= intervalDocuments) return []
  const reason = `95% intervals take ${intervalDocuments} documents, the sample has ${formatNumber(documents)}`
  return [{ claim: 'intervals', reason }]
}

/** What cannot be said of loss recovered against an ablation whose damage is not clear. @param damage interval of the loss that it adds, nats */
export function underpoweredRecovery(
  claim: string,
  ablation: string,
  damage: readonly [number, number] | null,
): Underpowered[] {
  if (damage === null || damage[0] > 0) return []
  const [low, high] = damage.map((nats) => nats.toFixed(4))
  const reason = `${ablation} adds ${low} to ${high} nats per token (95%): it may do no damage to recover from`
  return [{ claim, reason }]
}
