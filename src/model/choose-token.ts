import type { Random } from '../random/random.js'
import type { SampleConfig } from './sample-config.js'

/**
 * Draws from softmax(logits / temperature), cut to the topK most likely tokens (0: all), and of these to the most likely whose share of their
 * probability reaches topP (nucleus sampling, Holtzman et al. 2020). Temperature 0 takes the largest logit. Equal logits: the lower id
 * comes first.
 */
export function chooseToken(
  logits: Float32Array,
  { temperature, topP, topK = 0 }: Pick<SampleConfig, 'temperature' | 'topP'> & { topK?: number },
  random: Random,
): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id
  if (temperature === 0) return best
  const weights = new Float64Array(logits.length)
  let total = 0
  for (let id = 0; id < logits.length; id++)
    total += weights[id] = Math.exp((logits[id] - logits[best]) / temperature)
  const few = topK > 0 && topK < weights.length
  const likely = candidates(
    weights,
    few ? weights.slice().sort()[weights.length - topK] : ((1 - topP) * total) / weights.length,
  )
  likely.sort((a, b) => weights[b] - weights[a] || a - b)
  const ids = few ? likely.subarray(0, topK) : likely
  if (few) total = ids.reduce((sum, id) => sum + weights[id], 0)
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
