import type { TransformerConfig } from '../transformer-config.js'
import { layerNorm, linear, type Run, same, type WeightSource, type WeightTable } from './weight-source.js'

/** GPT-NeoX: `query_key_value` [H * 3 * W, D] holds query, key and value of the first head, then those of the second, ... */
export function gptNeoxWeights(config: TransformerConfig): WeightTable {
  const { dModel: D, dMlp: M, heads: H, headWidth: W, vocabularySize: V } = config
  const head = ['embed_out.weight', 'lm_head.weight']
  const sources: Record<string, WeightSource> = {
    'embed.W_E': same('gpt_neox.embed_in.weight', V, D),
    ...layerNorm('ln_final', 'gpt_neox.final_layer_norm', D),
    'unembed.W_U': { ...linear('', D, V), tensors: head },
  }
  const rowsOf = [0, 1, 2].map((part) => Array.from({ length: H }, (_, h): Run => [(3 * h + part) * W, W]))
  for (let layer = 0; layer < config.layers; layer++) {
    const [block, stored] = [`blocks.${layer}`, `gpt_neox.layers.${layer}`]
    for (const [part, letter] of ['Q', 'K', 'V'].entries()) {
      const rows = rowsOf[part]
      const fused = `${stored}.attention.query_key_value`
      sources[`${block}.attn.W_${letter}`] = { ...linear(`${fused}.weight`, D, 3 * H * W), rows }
      sources[`${block}.attn.b_${letter}`] = { ...same(`${fused}.bias`, 3 * H * W), rows }
    }
    Object.assign(sources, {
      ...layerNorm(`${block}.ln1`, `${stored}.input_layernorm`, D),
      ...layerNorm(`${block}.ln2`, `${stored}.post_attention_layernorm`, D),
      [`${block}.attn.W_O`]: linear(`${stored}.attention.dense.weight`, H * W, D),
      [`${block}.attn.b_O`]: same(`${stored}.attention.dense.bias`, D),
      [`${block}.mlp.W_in`]: linear(`${stored}.mlp.dense_h_to_4h.weight`, D, M),
      [`${block}.mlp.b_in`]: same(`${stored}.mlp.dense_h_to_4h.bias`, M),
      [`${block}.mlp.W_out`]: linear(`${stored}.mlp.dense_4h_to_h.weight`, M, D),
      [`${block}.mlp.b_out`]: same(`${stored}.mlp.dense_4h_to_h.bias`, D),
    })
  }
  const ignored = /\.attention\.((masked_)?bias|rotary_emb\.inv_freq)$/
  return { prefix: 'gpt_neox.', ignored, head, sources }
}
