import { z } from 'zod'
import { shortened } from './call-failure.js'
import { type Parsed, parseJsonAnswer } from './json-answer.js'
import type { FailureKind } from './llm-usage.js'
import { loadLanguageModel } from './load-model.js'
import { parseModelName, readBaseUrl, readKey } from './model-name.js'
import type { AnswerUsage, CallResult, RemoteCalls } from './remote-calls.js'

export interface LlmMessage {
  role: 'user' | 'assistant'
  content: string
}

interface Conversation {
  /** a short name of what is asked */
  purpose: string
  system: string
  /** the last one is the user's */
  messages: readonly LlmMessage[]
  /** all fields required: servers that hold answers to a schema insist */
  schema: z.ZodType
}

/** One conversation, whose next turn is JSON. */
export interface LlmRequest<T> extends Conversation {
  schema: z.ZodType<T>
  /** what is wrong with an answer that fits the schema; null when nothing is */
  check?: (value: T) => string | null
}

export type LlmAnswer<T> = { ok: true; value: T } | { ok: false; kind: FailureKind; reason: string }

/** A language model that answers in JSON. */
export interface LlmClient {
  /** `provider:model` */
  name: string
  /**
   * Asks; a malformed answer is sent back once with what is wrong with it. Failures are counted in the usage of the calls.
   * @throws MonosemError config (budget spent, key refused), missing (no such server or model), interrupted, io
   */
  ask<T>(request: LlmRequest<T>, signal?: AbortSignal): Promise<LlmAnswer<T>>
}

/** The turn that came, as it is kept. */
interface Turn extends AnswerUsage {
  text: string
  finishReason: string
}

/** What a conversation is sent with; servers that refuse one of these are asked without. */
interface Settings {
  structured: boolean
  temperature: number | undefined
}

/**
 * @param name anthropic:MODEL, openai:MODEL or compatible:MODEL (with `baseUrl` in the configuration)
 * @param environment where keys are read from; default process.env
 * @throws MonosemError config: no such provider, no key (names the variable), no base URL
 */
export function createLlmClient(
  name: string,
  calls: RemoteCalls,
  environment: NodeJS.ProcessEnv = process.env,
): LlmClient {
  const { config } = calls
  const model = parseModelName(name)
  const access = {
    name: model,
    baseUrl: readBaseUrl(model, config.baseUrl),
    key: readKey(model, environment),
  }
  let settings: Settings = {
    structured: config.structuredOutput !== 'off',
    temperature: config.temperature,
  }

  const callWith = (request: Conversation, using: Settings, signal: AbortSignal | undefined) => {
    const { purpose, system, messages } = request
    const maxOutputTokens = config.maxOutputTokens || undefined
    const schema = using.structured ? z.toJSONSchema(request.schema) : null
    const key = {
      name,
      baseUrl: access.baseUrl,
      purpose,
      system,
      messages,
      schema,
      maxOutputTokens,
      ...using,
    }
    return calls.call(
      key,
      async (stop) => generate(await loadLanguageModel(access), request, { ...using, maxOutputTokens }, stop),
      signal,
    )
  }

  /** Sends a conversation, without what the server refuses. */
  const call = async (request: Conversation, signal?: AbortSignal): Promise<CallResult<Turn>> => {
    const first = await callWith(request, settings, signal)
    if (first.ok || first.failure.kind !== 'rejected') return first
    const simpler = simplerSettings(settings, first.failure.reason, config.structuredOutput === 'auto')
    if (simpler === null) return first
    const second = await callWith(request, simpler, signal)
    // A request that is refused either way was refused for something else.
    if (second.ok) settings = simpler
    return second
  }

  return {
    name,
    async ask<T>(request: LlmRequest<T>, signal?: AbortSignal): Promise<LlmAnswer<T>> {
      let answer = await askOnce(request, call, signal)
      if (!answer.ok && answer.kind === 'malformed' && answer.text !== undefined)
        answer = await askOnce(withComplaint(request, answer.text, answer.reason), call, signal)
      if (!answer.ok) calls.countFailure(answer.kind)
      return answer.ok ? answer : { ok: false, kind: answer.kind, reason: answer.reason }
    },
  }
}

/** What to leave out after a refusal; null when nothing is left. */
function simplerSettings(settings: Settings, reason: string, mayUnstructure: boolean): Settings | null {
  if (settings.temperature !== undefined && /temperature/i.test(reason))
    return { ...settings, temperature: undefined }
  return settings.structured && mayUnstructure ? { ...settings, structured: false } : null
}

type Attempt<T> = { ok: true; value: T } | { ok: false; kind: FailureKind; reason: string; text?: string }

async function askOnce<T>(
  request: LlmRequest<T>,
  call: (request: Conversation, signal?: AbortSignal) => Promise<CallResult<Turn>>,
  signal: AbortSignal | undefined,
): Promise<Attempt<T>> {
  const result = await call(request, signal)
  if (!result.ok) return { ok: false, kind: result.failure.kind, reason: result.failure.reason }
  const { text, finishReason } = result.answer
  if (finishReason === 'content-filter')
    return { ok: false, kind: 'refused', reason: `the model refuses to answer: ${shortened(text)}` }
  if (finishReason === 'length') return { ok: false, kind: 'truncated', reason: 'the answer is too long' }
  const parsed = checked(parseJsonAnswer(text, request.schema), request.check)
  return parsed.ok ? parsed : { ok: false, kind: 'malformed', reason: parsed.problem, text }
}

function checked<T>(parsed: Parsed<T>, check: LlmRequest<T>['check']): Parsed<T> {
  const problem = parsed.ok ? (check?.(parsed.value) ?? null) : null
  return problem === null ? parsed : { ok: false, problem }
}

function withComplaint<T>(request: LlmRequest<T>, text: string, problem: string): LlmRequest<T> {
  const complaint = `Your answer cannot be used: ${problem}. Answer once more, completely, with nothing but JSON in the format described at the start.`
  const messages = [
    ...request.messages,
    { role: 'assistant' as const, content: text.trim() || '(nothing)' },
    { role: 'user' as const, content: complaint },
  ]
  return { ...request, messages }
}

/** One attempt through the AI SDK, which neither retries nor decides what a usable answer is. */
async function generate(
  model: Awaited<ReturnType<typeof loadLanguageModel>>,
  request: Conversation,
  settings: Settings & { maxOutputTokens: number | undefined },
  abortSignal: AbortSignal,
): Promise<Turn> {
  const { generateText, NoObjectGeneratedError, Output } = await import('ai')
  // Settings that a model does not know are left out by the SDK, which would print a warning each time.
  globalThis.AI_SDK_LOG_WARNINGS ??= false
  const { schema, purpose, system, messages } = request
  const { structured, temperature, maxOutputTokens } = settings
  const turn = (
    text: string,
    finishReason: string,
    usage: { inputTokens: number | undefined; outputTokens: number | undefined } | undefined,
  ): Turn => ({
    text,
    finishReason,
    // A server that does not count costs what it probably cost: about four characters a token.
    inputTokens: usage?.inputTokens ?? Math.ceil(JSON.stringify([system, messages]).length / 4),
    outputTokens: usage?.outputTokens ?? Math.ceil(text.length / 4),
  })
  try {
    const result = await generateText({
      model,
      system,
      messages: [...messages],
      temperature,
      maxOutputTokens,
      maxRetries: 0,
      abortSignal,
      output: structured ? Output.object({ schema, name: purpose }) : undefined,
    })
    return turn(result.text, result.finishReason, result.usage)
  } catch (error) {
    if (NoObjectGeneratedError.isInstance(error))
      return turn(error.text ?? '', error.finishReason ?? 'other', error.usage)
    throw error
  }
}
