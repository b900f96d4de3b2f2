import type { EmbeddingModel, LanguageModel } from 'ai'
import { MonosemError } from '../../errors/monosem-error.js'
import type { ModelName } from './model-name.js'

/** Where a model is and with which key it is asked. */
export interface ModelAccess {
  name: ModelName
  /** undefined: the provider's own */
  baseUrl: string | undefined
  key: string | undefined
}

/** The AI SDK's model. Providers are loaded when the first is needed: together they take a quarter of a second. */
export async function loadLanguageModel({ name, baseUrl, key }: ModelAccess): Promise<LanguageModel> {
  if (name.provider === 'anthropic') {
    const { createAnthropic } = await import('@ai-sdk/anthropic')
    return createAnthropic({ apiKey: key, baseURL: baseUrl }).languageModel(name.model)
  }
  if (name.provider === 'openai') {
    const { createOpenAI } = await import('@ai-sdk/openai')
    return createOpenAI({ apiKey: key, baseURL: baseUrl }).chat(name.model)
  }
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
  return createOpenAICompatible({
    name: 'compatible',
    baseURL: baseUrl ?? '',
    apiKey: key,
    supportsStructuredOutputs: true,
  }).chatModel(name.model)
}

/** @throws MonosemError config: the provider has no embedding models */
export async function loadEmbeddingModel({ name, baseUrl, key }: ModelAccess): Promise<EmbeddingModel> {
  if (name.provider === 'openai') {
    const { createOpenAI } = await import('@ai-sdk/openai')
    return createOpenAI({ apiKey: key, baseURL: baseUrl }).embeddingModel(name.model)
  }
  if (name.provider === 'compatible') {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
    return createOpenAICompatible({
      name: 'compatible',
      baseURL: baseUrl ?? '',
      apiKey: key,
    }).embeddingModel(name.model)
  }
  throw new MonosemError('config', `embedding model: ${name.provider} offers none`, {
    hint: 'use openai:MODEL, compatible:MODEL or the default, which needs no model',
  })
}
