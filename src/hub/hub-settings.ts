import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { type Progress, silentProgress } from '../progress/progress.js'
import type { SourceOptions } from './hub-source.js'

/** Where the hub and its cache are, all defaults filled in. */
export interface HubSettings {
  cacheDirectory: string
  /** without a slash at its end */
  endpoint: string
  token: string | null
  offline: boolean
  revision: string
  progress: Progress
  signal?: AbortSignal
}

/**
 * Fills in what the options leave open from the environment variables that Python's `huggingface_hub` reads.
 * @throws MonosemError config (an endpoint that is no address)
 */
export async function hubSettings(options: SourceOptions, environment = process.env): Promise<HubSettings> {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache')
  const home = environment.HF_HOME || join(cache, 'huggingface')
  const endpoint = options.endpoint ?? (environment.HF_ENDPOINT || 'https://huggingface.co')
  if (!/^https?:\/\/./.test(endpoint) || !URL.canParse(endpoint))
    throw new MonosemError('config', `expected the address of a hub, got ${JSON.stringify(endpoint)}`, {
      hint: 'HF_ENDPOINT is an address such as https://huggingface.co',
    })
  return {
    cacheDirectory:
      options.cacheDirectory ??
      (environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE || join(home, 'hub')),
    endpoint: endpoint.replace(/\/+$/, ''),
    token: (options.token ?? (await findToken(home, environment))) || null,
    offline: options.offline ?? isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    revision: options.revision ?? 'main',
    progress: options.progress ?? silentProgress,
    signal: options.signal,
  }
}

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '')

async function findToken(home: string, environment: NodeJS.ProcessEnv): Promise<string | null> {
  const given = environment.HF_TOKEN?.trim() || environment.HUGGING_FACE_HUB_TOKEN?.trim()
  if (given) return given
  const path = environment.HF_TOKEN_PATH || join(home, 'token')
  const stored = await readFile(path, 'utf8').catch(() => '')
  return stored.trim() || null
}
