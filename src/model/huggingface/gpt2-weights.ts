import type { TransformerConfig } from '../transformer-config.js'
import { layerNorm, linear, same, type WeightSource, type WeightTable } from './weight-source.js'

/** GPT-2: matrices are [inputs, outputs] as ours (its Conv1D); `c_attn` [D, 3D] holds queries, keys and values side by side. */
export function gpt2Weights(config: TransformerConfig): WeightTable {
  const { dModel: D, dMlp: M, vocabularySize: V } = config
  const sources: Record<string, WeightSource> = {
    'embed.W_E': same('transformer.wte.weight', V, D),
    'pos_embed.W_pos': same('transformer.wpe.weight', config.context, D),
    ...layerNorm('ln_final', 'transformer.ln_f', D),
    'unembed.W_U': linear('lm_head.weight', D, V),
  }
  for (let layer = 0; layer < config.layers; layer++) {
    const [block, stored] = [`blocks.${layer}`, `transformer.h.${layer}`]
    for (const [part, head] of ['Q', 'K', 'V'].entries()) {
      const [weight, bias] = [`${stored}.attn.c_attn.weight`, `${stored}.attn.c_attn.bias`]
      sources[`${block}.attn.W_${head}`] = { ...same(weight, D, 3 * D), columns: [part * D, D] }
      sources[`${block}.attn.b_${head}`] = { ...same(bias, 3 * D), rows: [[part * D, D]] }
    }
    Object.assign(sources, {
      ...layerNorm(`${block}.ln1`, `${stored}.ln_1`, D),
      ...layerNorm(`${block}.ln2`, `${stored}.ln_2`, D),
      [`${block}.attn.W_O`]: same(`${stored}.attn.c_proj.weight`, D, D),
      [`${block}.attn.b_O`]: same(`${stored}.attn.c_proj.bias`, D),
      [`${block}.mlp.W_in`]: same(`${stored}.mlp.c_fc.weight`, D, M),
      [`${block}.mlp.b_in`]: same(`${stored}.mlp.c_fc.bias`, M),
      [`${block}.mlp.W_out`]: same(`${stored}.mlp.c_proj.weight`, M, D),
      [`${block}.mlp.b_out`]: same(`${stored}.mlp.c_proj.bias`, D),
    })
  }
  return { prefix: 'transformer.', ignored: /\.attn\.(masked_)?bias$/, head: ['lm_head.weight'], sources }
}
