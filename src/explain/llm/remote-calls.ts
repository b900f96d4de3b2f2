import { setTimeout as sleep } from 'node:timers/promises'
import { MonosemError } from '../../errors/monosem-error.js'
import { throwIfInterrupted } from '../../progress/progress.js'
import { createAnswerCache, requestKey } from './answer-cache.js'
import { type CallFailure, callFailure } from './call-failure.js'
import { createLimiter } from './limiter.js'
import type { LlmConfig } from './llm-config.js'
import { addUsage, checkBudget, emptyUsage, type FailureKind, type LlmUsage } from './llm-usage.js'

/** What an answer has used, as far as the server says. */
export interface AnswerUsage {
  inputTokens: number
  outputTokens: number
}

export type CallResult<T> = { ok: true; answer: T } | { ok: false; failure: CallFailure }

/**
 * The only way to the network: calls share one limit, one budget and one cache, are tried again where that may help, and are counted.
 */
export interface RemoteCalls {
  config: LlmConfig
  /**
   * Sends a request, unless its answer is kept already.
   * @param request names the call: everything that its answer depends on, as JSON
   * @param send makes one attempt; what it returns is kept as JSON
   * @throws MonosemError config (budget spent, key refused), missing (no such server or model), interrupted, io
   */
  call<T extends AnswerUsage>(
    request: unknown,
    send: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<CallResult<T>>
  countFailure(kind: FailureKind): void
  /** a copy of the totals so far */
  usage(): LlmUsage
}

/** A server that asks for a longer pause than this is taken as unavailable, milliseconds. */
const longestWait = 300_000

/** @throws MonosemError config: a limit of the cost without prices, which could never be reached */
export function createRemoteCalls(config: LlmConfig): RemoteCalls {
  if (config.maxCost > 0 && config.inputPrice === 0 && config.outputPrice === 0)
    throw new MonosemError(
      'config',
      `--max-cost: expected prices with it, got ${config.maxCost} without any`,
      {
        hint: 'add --input-price and --output-price, per million tokens',
      },
    )
  const cache = createAnswerCache(config.cacheDirectory)
  const limit = createLimiter(config.concurrency)
  const usage = emptyUsage()
  const underWay = new Map<string, Promise<CallResult<AnswerUsage>>>()

  const ask = async <T extends AnswerUsage>(
    key: string,
    send: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<CallResult<T>> => {
    const kept = (await cache.read(key)) as T | null
    if (kept !== null) {
      usage.cached++
      return { ok: true, answer: kept }
    }
    return limit(async () => {
      throwIfInterrupted(signal)
      checkBudget(usage, config)
      const result = await withRetries(config, usage, send, signal)
      if (result.ok) {
        addUsage(usage, result.answer, config)
        await cache.write(key, result.answer)
      }
      return result
    })
  }

  return {
    config,
    call<T extends AnswerUsage>(
      request: unknown,
      send: (signal: AbortSignal) => Promise<T>,
      signal?: AbortSignal,
    ) {
      const key = requestKey(request)
      // The same question twice at a time is asked, and paid for, once.
      const same = underWay.get(key)
      if (same) return same as Promise<CallResult<T>>
      const result = ask(key, send, signal).finally(() => underWay.delete(key))
      underWay.set(key, result)
      return result
    },
    countFailure: (kind) => {
      usage.failures[kind]++
    },
    usage: () => ({ ...usage, failures: { ...usage.failures } }),
  }
}

/** Attempts until one succeeds, cannot succeed, or `retries` more have failed; waits longer each time. */
async function withRetries<T>(
  config: LlmConfig,
  usage: LlmUsage,
  send: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<CallResult<T>> {
  for (let attempt = 0; ; attempt++) {
    const result = await attemptOnce(config.timeout, send, signal)
    if (result.ok || !result.failure.retry) return result
    const { failure } = result
    if (attempt >= config.retries) {
      if (failure.unreachable) throw unreachable(failure)
      return { ok: false, failure: { ...failure, reason: `${failure.reason} (${attempt + 1} attempts)` } }
    }
    // Half of the pause is random, so that calls which failed together do not all come back together.
    const pause = Math.min(60_000, 1000 * config.backoff * 2 ** attempt) * (0.5 + Math.random() / 2)
    const wait = Math.max(pause, failure.retryAfter ?? 0)
    if (wait > longestWait)
      return {
        ok: false,
        failure: { ...failure, reason: `${failure.reason}; asked to wait ${wait / 1000} s` },
      }
    await sleep(wait, undefined, { signal }).catch(() => throwIfInterrupted(signal))
    usage.retries++
  }
}

const unreachable = (failure: CallFailure): MonosemError =>
  new MonosemError('missing', `language model: ${failure.reason}`, {
    hint: 'check that the server is running, and --base-url',
  })

/** One attempt, which ends after `timeout` seconds or when the user stops. */
async function attemptOnce<T>(
  timeout: number,
  send: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<CallResult<T>> {
  const controller = new AbortController()
  const stop = (): void => controller.abort()
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    stop()
  }, 1000 * timeout)
  signal?.addEventListener('abort', stop)
  try {
    return { ok: true, answer: await send(controller.signal) }
  } catch (error) {
    throwIfInterrupted(signal)
    if (!timedOut) return { ok: false, failure: callFailure(error) }
    const reason = `no answer in ${timeout} s`
    return { ok: false, failure: { kind: 'timeout', reason, retry: true, retryAfter: null } }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
