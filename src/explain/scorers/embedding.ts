import { MonosemError } from '../../errors/monosem-error.js'
import type { Scorer } from '../evidence.js'
import type { TokenNames } from '../llm/token-text.js'
import { binaryScores } from './binary-scores.js'
import type { Embedder } from './embedder.js'
import { labelledTexts, textWithHighlights } from './labelled-texts.js'
import { createNgramEmbedder } from './ngram-embedder.js'
import { noScore, scoreOf } from './score-of.js'

export interface EmbeddingScorerOptions {
  tokenizer: TokenNames
  /** default: a local bag of n-grams */
  embedder?: Embedder
  /** default 0 */
  seed?: number
}

/**
 * Embedding score (EleutherAI, delphi): are the held-out texts that activate the feature more similar to the explanation than those that do not? The
 * value is the area under the ROC curve of the cosine; 0.5 is chance. An explanation or a text that embeds as nothing is similar to nothing.
 */
export function createEmbeddingScorer(options: EmbeddingScorerOptions): Scorer {
  const { tokenizer, embedder = createNgramEmbedder(), seed = 0 } = options
  return {
    name: 'embedding',
    async score(explanation, evidence, signal) {
      const texts = labelledTexts(evidence, seed, 'embedding')
      const shown = texts.map(({ example }) => textWithHighlights(example, tokenizer))
      let vectors: ArrayLike<number>[]
      try {
        vectors = await embedder.embed([explanation.text, ...shown], signal)
      } catch (error) {
        if (error instanceof MonosemError && error.code === 'remote')
          return [noScore('embedding', error.message)]
        throw error
      }
      const [query, ...rest] = vectors
      const truth = texts.map(({ active }) => active)
      const { auc, positives, negatives } = binaryScores(
        truth,
        rest.map((vector) => cosine(query, vector)),
      )
      if (auc === null) {
        const lacking = positives === 0 ? 'active' : 'silent'
        return [
          noScore('embedding', `there is nothing held out on which the feature is ${lacking}`, texts.length),
        ]
      }
      return [scoreOf('embedding', auc, texts.length, { positives, negatives })]
    },
  }
}

/** Cosine of two vectors; 0 when either is zero. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let aa = 0
  let bb = 0
  let ab = 0
  for (let i = 0; i < a.length; i++) {
    aa += a[i] * a[i]
    bb += b[i] * b[i]
    ab += a[i] * b[i]
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0
}
