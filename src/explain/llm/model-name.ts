import { MonosemError } from '../../errors/monosem-error.js'

export type ProviderName = 'anthropic' | 'openai' | 'compatible'

/** A model as it is written on the command line, `provider:model`. */
export interface ModelName {
  provider: ProviderName
  /** may hold further colons: compatible:qwen2.5:7b */
  model: string
}

/** Environment variable of each provider's key. A compatible server needs none. */
const keyVariables: Record<ProviderName, string> = {
  anthropic: 'ANTHROPIC_API_KEY',
  openai: 'OPENAI_API_KEY',
  compatible: 'MONOSEM_API_KEY',
}

const forms = 'anthropic:MODEL, openai:MODEL or compatible:MODEL'

/** @throws MonosemError config: not of the form provider:model */
export function parseModelName(name: string): ModelName {
  const [, provider, model] = /^([a-z]+):(.+)$/s.exec(name) ?? []
  if (provider === undefined || !Object.hasOwn(keyVariables, provider))
    throw new MonosemError('config', `language model: expected ${forms}, got ${JSON.stringify(name)}`, {
      hint: 'for example compatible:llama3.2 with --base-url http://localhost:11434/v1',
    })
  return { provider: provider as ProviderName, model }
}

/**
 * The key of a model's provider.
 * @returns undefined for a compatible server without one
 * @throws MonosemError config: names the variable that is not set
 */
export function readKey(name: ModelName, environment: NodeJS.ProcessEnv): string | undefined {
  const variable = keyVariables[name.provider]
  const key = environment[variable]?.trim()
  if (key) return key
  if (name.provider === 'compatible') return undefined
  throw new MonosemError(
    'config',
    `${name.provider}:${name.model}: expected an API key in the environment variable ${variable}, which is not set`,
    { hint: `export ${variable}=..., or use compatible:MODEL with a server of your own` },
  )
}

/**
 * The address of a model's server without a slash at its end; undefined means the provider's own.
 * @throws MonosemError config: not an http address, or none for a compatible server
 */
export function readBaseUrl(name: ModelName, baseUrl: string): string | undefined {
  if (baseUrl === '' && name.provider !== 'compatible') return undefined
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new MonosemError(
      'config',
      `${name.provider}:${name.model}: expected --base-url with the server's address, got ${JSON.stringify(baseUrl)}`,
      {
        hint: 'for example --base-url http://localhost:11434/v1 (Ollama) or http://localhost:8000/v1 (vLLM)',
      },
    )
  return baseUrl.replace(/\/+$/, '')
}
