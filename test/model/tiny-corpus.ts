import type { TokenSplit } from '../../src/corpus/corpus.js'
import type { Tokenizer } from '../../src/corpus/tokenizer.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { createTransformer, type Transformer } from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'

/** Documents of about 20 tokens in 1 .. vocabularySize-1, each token mostly the one before plus one. */
export function tinySplit(name: TokenSplit['name'], length: number, vocabularySize: number): TokenSplit {
  const random = Random.named(5, name)
  const tokens = new Uint16Array(length)
  const starts = [0]
  for (let i = 1; i < length; i++) {
    const ends = random.uniform() < 0.05
    const next = random.uniform() < 0.8 ? tokens[i - 1] : random.int(vocabularySize)
    if (ends) starts.push(i)
    else tokens[i] = 1 + (next % (vocabularySize - 1))
  }
  const documentStarts = Int32Array.from(starts)
  return { name, tokens, documentStarts, documentIds: documentStarts.map((_, i) => i), bytes: length }
}

/**
 * A tokenizer whose token i > 0 is the given piece of bytes; token 0 is <|endoftext|>. Encodes byte by
 * byte.
 */
export function pieceTokenizer(pieces: readonly (readonly number[])[]): Tokenizer {
  const bytes = [[], ...pieces].map((piece) => Uint8Array.from(piece))
  const text = (ids: ArrayLike<number>) => Buffer.concat(Array.from(ids, (id) => bytes[id])).toString('utf8')
  const encode = (s: string) =>
    Int32Array.from(Buffer.from(s), (byte) => bytes.findIndex((b) => b.length === 1 && b[0] === byte))
  return {
    vocabularySize: bytes.length,
    startOfText: 0,
    endOfText: 0,
    endTokens: new Set([0]),
    specialTokens: new Set([0]),
    encode,
    encodeWithSpecialTokens: encode,
    decode: text,
    tokenBytes: (id) => bytes[id],
    tokenText: (id) => text([id]),
    json: '{}',
    configJson: null,
  }
}

/** A model that follows token i by `next[i]` with near certainty, whatever came before. Context 4. */
export function cyclicModel(kernels: Kernels, next: readonly number[]): Transformer {
  const V = next.length
  const config = { layers: 1, dModel: V, heads: 1, dMlp: V, context: 4, vocabularySize: V }
  const model = createTransformer(kernels, config, 0)
  for (const name of ['pos_embed.W_pos', 'blocks.0.attn.W_O', 'blocks.0.mlp.W_out'])
    kernels.fill(model.params[name], 0)
  const [embed, unembed] = [new Float32Array(V * V), new Float32Array(V * V)]
  next.forEach((following, token) => {
    embed[token * V + token] = 1
    unembed[token * V + following] = 20
  })
  kernels.write(model.params['embed.W_E'], embed)
  kernels.write(model.params['unembed.W_U'], unembed)
  return model
}
