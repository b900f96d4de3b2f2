import type { TransformerConfig } from '../transformer-config.js'
import { linear, same, type WeightSource, type WeightTable } from './weight-source.js'

/** Our norms of a block, and what they are called: Gemma 2 has norms after attention and MLP too, and other names for them. */
const llamaNorms = { ln1: 'input_layernorm', ln2: 'post_attention_layernorm' }
const gemma2Norms = {
  ln1: 'input_layernorm',
  ln1_post: 'post_attention_layernorm',
  ln2: 'pre_feedforward_layernorm',
  ln2_post: 'post_feedforward_layernorm',
}

/** Llama, Mistral, Qwen 2 and 3, Gemma 2 (whose norms are stored as w of 1 + w). */
export function llamaWeights(config: TransformerConfig): WeightTable {
  const { dModel: D, dMlp: M, headWidth: W, vocabularySize: V } = config
  const [queries, keys] = [config.heads * W, config.keyValueHeads * W]
  const gemma = config.family === 'gemma2'
  const norm = (tensor: string, width = D): WeightSource => ({
    ...same(`${tensor}.weight`, width),
    add: gemma ? 1 : 0,
  })
  const sources: Record<string, WeightSource> = {
    'embed.W_E': same('model.embed_tokens.weight', V, D),
    'ln_final.w': norm('model.norm'),
    'unembed.W_U': linear('lm_head.weight', D, V),
  }
  const layer = (name: string, letter: string, stored: string, inputs: number, outputs: number) => {
    sources[`${name}.W_${letter}`] = linear(`${stored}.weight`, inputs, outputs)
    sources[`${name}.b_${letter}`] = same(`${stored}.bias`, outputs)
  }
  for (let i = 0; i < config.layers; i++) {
    const [block, stored] = [`blocks.${i}`, `model.layers.${i}`]
    for (const [ours, theirs] of Object.entries(gemma ? gemma2Norms : llamaNorms))
      sources[`${block}.${ours}.w`] = norm(`${stored}.${theirs}`)
    layer(`${block}.attn`, 'Q', `${stored}.self_attn.q_proj`, D, queries)
    layer(`${block}.attn`, 'K', `${stored}.self_attn.k_proj`, D, keys)
    layer(`${block}.attn`, 'V', `${stored}.self_attn.v_proj`, D, keys)
    layer(`${block}.attn`, 'O', `${stored}.self_attn.o_proj`, queries, D)
    sources[`${block}.attn.q_norm.w`] = norm(`${stored}.self_attn.q_norm`, W)
    sources[`${block}.attn.k_norm.w`] = norm(`${stored}.self_attn.k_norm`, W)
    layer(`${block}.mlp`, 'gate', `${stored}.mlp.gate_proj`, D, M)
    layer(`${block}.mlp`, 'in', `${stored}.mlp.up_proj`, D, M)
    layer(`${block}.mlp`, 'out', `${stored}.mlp.down_proj`, M, D)
  }
  return { prefix: 'model.', ignored: /\.rotary_emb\.inv_freq$/, head: ['lm_head.weight'], sources }
}
