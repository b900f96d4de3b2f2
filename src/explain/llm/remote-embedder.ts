import { MonosemError } from '../../errors/monosem-error.js'
import type { Embedder } from '../scorers/embedder.js'
import { loadEmbeddingModel } from './load-model.js'
import { parseModelName, readBaseUrl, readKey } from './model-name.js'
import type { RemoteCalls } from './remote-calls.js'

/** Texts of one request. */
const batchTexts = 64

/**
 * An embedding model behind the same limits and cache as the language models.
 * @param name openai:MODEL or compatible:MODEL
 * @throws MonosemError config: no such provider, no key (names the variable), no base URL
 */
export function createRemoteEmbedder(
  name: string,
  calls: RemoteCalls,
  environment: NodeJS.ProcessEnv = process.env,
): Embedder {
  const model = parseModelName(name)
  const access = {
    name: model,
    baseUrl: readBaseUrl(model, calls.config.baseUrl),
    key: readKey(model, environment),
  }
  if (model.provider === 'anthropic')
    throw new MonosemError('config', 'embedding model: anthropic offers none', {
      hint: 'use openai:MODEL, compatible:MODEL or the default, which needs no model',
    })

  const embedBatch = async (values: string[], signal?: AbortSignal): Promise<number[][]> => {
    const request = { name, baseUrl: access.baseUrl, embed: values }
    const result = await calls.call(
      request,
      async (abortSignal) => {
        const { embedMany } = await import('ai')
        const embeddingModel = await loadEmbeddingModel(access)
        const { embeddings, usage } = await embedMany({
          model: embeddingModel,
          values,
          maxRetries: 0,
          abortSignal,
        })
        return { embeddings, inputTokens: usage.tokens || 0, outputTokens: 0 }
      },
      signal,
    )
    if (result.ok) return result.answer.embeddings
    calls.countFailure(result.failure.kind)
    throw new MonosemError('remote', `${name}: no embedding: ${result.failure.reason}`)
  }

  return {
    name,
    async embed(texts, signal) {
      const batches: Array<Promise<number[][]>> = []
      for (let first = 0; first < texts.length; first += batchTexts)
        batches.push(embedBatch(texts.slice(first, first + batchTexts), signal))
      return (await Promise.all(batches)).flat()
    },
  }
}
