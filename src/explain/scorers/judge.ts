import { z } from 'zod'
import type { LlmClient } from '../llm/llm-client.js'

/** A list of things, each to be judged by itself. */
export interface JudgeRequest {
  client: LlmClient
  purpose: string
  /** what is judged, without the format of the answer */
  instructions: string
  /** stands before the things, e.g. the explanation; may be empty */
  introduction: string
  /** what one thing is called, e.g. `text` */
  noun: string
  items: readonly string[]
  /** things in one conversation */
  batch: number
}

/** Probabilities of a yes; null where there was no usable answer. */
export interface Judgements {
  probabilities: (number | null)[]
  /** why answers are missing, each reason once */
  reasons: string[]
}

const schema = z.object({ answers: z.array(z.object({ number: z.int(), probability: z.number() })) })

type Answers = z.infer<typeof schema>

/** Asks about all things, some at a time. @throws what `LlmClient.ask` throws */
export async function judge(request: JudgeRequest, signal?: AbortSignal): Promise<Judgements> {
  const { items, batch } = request
  const batches: Array<Promise<(number | null)[] | { reason: string; n: number }>> = []
  for (let first = 0; first < items.length; first += batch)
    batches.push(judgeBatch(request, items.slice(first, first + batch), signal))
  const results = await Promise.all(batches)
  const reasons = results.flatMap((result) => (Array.isArray(result) ? [] : [result.reason]))
  return {
    probabilities: results.flatMap((result) =>
      Array.isArray(result) ? result : new Array<null>(result.n).fill(null),
    ),
    reasons: [...new Set(reasons)],
  }
}

async function judgeBatch(
  { client, purpose, instructions, introduction, noun }: JudgeRequest,
  items: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number[] | { reason: string; n: number }> {
  const list = items.map((item, i) => `${noun} ${i + 1}: ${item}`)
  const format = `Answer with JSON only: {"answers": [{"number": 1, "probability": 0.9}, ...]}, one entry for every ${noun}, with the probability from 0 to 1 that the answer is yes.`
  const answer = await client.ask(
    {
      purpose,
      system: `${instructions}\n\n${format}`,
      messages: [{ role: 'user', content: [introduction, ...list].filter(Boolean).join('\n\n') }],
      schema,
      check: (value) => problemOf(value, noun, items.length),
    },
    signal,
  )
  if (!answer.ok) return { reason: `${answer.kind}: ${answer.reason}`, n: items.length }
  const byNumber = new Map(answer.value.answers.map(({ number, probability }) => [number, probability]))
  return items.map((_, i) => byNumber.get(i + 1) ?? 0)
}

function problemOf({ answers }: Answers, noun: string, count: number): string | null {
  const numbers = answers.map(({ number }) => number).sort((a, b) => a - b)
  if (numbers.length !== count || numbers.some((number, i) => number !== i + 1))
    return `expected one answer for each ${noun} from 1 to ${count}, got ${numbers.join(', ') || 'none'}`
  const bad = answers.find(({ probability }) => !(probability >= 0 && probability <= 1))
  return bad ? `expected probabilities from 0 to 1, got ${bad.probability} for ${noun} ${bad.number}` : null
}
