import type { Random } from '../random/random.js'
import type { SampleConfig } from './sample-config.js'

/**
 * Draws from softmax(logits / temperature), cut to the most likely tokens whose probabilities reach topP
 * (nucleus sampling, Holtzman et al. 2020). Temperature 0 takes the largest logit. Equal logits: the lower id
 * comes first.
 */
export function chooseToken(
  logits: Float32Array,
  { temperature, topP }: Pick<SampleConfig, 'temperature' | 'topP'>,
  random: Random,
): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id
  if (temperature === 0) return best
  const weights = new Float64Array(logits.length)
  let total = 0
  for (let id = 0; id < logits.length; id++)
    total += weights[id] = Math.exp((logits[id] - logits[best]) / temperature)
  const ids = candidates(weights, ((1 - topP) * total) / weights.length)
  ids.sort((a, b) => weights[b] - weights[a] || a - b)
  let nucleus = 0
  let mass = 0
  while (nucleus < ids.length && mass < topP * total) mass += weights[ids[nucleus++]]
  let rest = random.uniform() * mass
  for (let i = 0; i < nucleus; i++) {
    rest -= weights[ids[i]]
    if (rest < 0) return ids[i]
  }
  return ids[nucleus - 1]
}

/**
 * Ids whose weight reaches `least`. With (1 - topP) / V of the total as the least, what is left out adds up to less than
 * 1 - topP, so all of the nucleus is in, and only a fraction of the vocabulary has to be sorted.
 */
function candidates(weights: Float64Array, least: number): Int32Array {
  const ids = new Int32Array(weights.length)
  let count = 0
  for (let id = 0; id < weights.length; id++) if (weights[id] >= least) ids[count++] = id
  return ids.subarray(0, count)
}
