import type { TransformerConfig } from '../transformer-config.js'
import { gptNeoxWeights } from './gpt-neox-weights.js'
import { gpt2Weights } from './gpt2-weights.js'
import { llamaWeights } from './llama-weights.js'
import type { WeightTable } from './weight-source.js'

/** Where the checkpoints of a model's family keep its parameters. */
export function weightTable(config: TransformerConfig): WeightTable {
  if (config.family === 'gpt2') return gpt2Weights(config)
  if (config.family === 'gpt_neox') return gptNeoxWeights(config)
  return llamaWeights(config)
}
