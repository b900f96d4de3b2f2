import { MonosemError } from '../../errors/monosem-error.js'
import { formatNumber } from '../../progress/rate.js'
import type { LlmConfig } from './llm-config.js'

/**
 * Why there is no answer that can be used.
 * - `refused`: the model would not answer, or a filter withheld it
 * - `malformed`: not what was asked for, also when asked a second time
 * - `truncated`: longer than an answer may be
 * - `timeout`: no answer in time, however often tried
 * - `unavailable`: the server was busy, failing or cut the answer off, however often tried
 * - `rejected`: the server does not take the request
 */
export type FailureKind = 'refused' | 'malformed' | 'truncated' | 'timeout' | 'unavailable' | 'rejected'

/** What the calls of a run have used. */
export interface LlmUsage {
  /** answers that came over the network */
  answers: number
  /** answers found in the cache, which cost nothing */
  cached: number
  /** attempts after the first */
  retries: number
  inputTokens: number
  outputTokens: number
  /** in the currency of the prices; 0 when none were given */
  cost: number
  /** questions without a usable answer, by reason */
  failures: Record<FailureKind, number>
}

export const emptyUsage = (): LlmUsage => ({
  answers: 0,
  cached: 0,
  retries: 0,
  inputTokens: 0,
  outputTokens: 0,
  cost: 0,
  failures: { refused: 0, malformed: 0, truncated: 0, timeout: 0, unavailable: 0, rejected: 0 },
})

/** The totals in one line: what came, what it cost, what failed. */
export function describeUsage(usage: LlmUsage): string {
  const { answers, cached, retries, inputTokens, outputTokens, cost } = usage
  const failures = Object.entries(usage.failures).filter(([, count]) => count > 0)
  return [
    `${formatNumber(answers)} answers`,
    cached > 0 ? `${formatNumber(cached)} more from the cache` : '',
    retries > 0 ? `${formatNumber(retries)} further attempts` : '',
    `${formatNumber(inputTokens)} tokens in, ${formatNumber(outputTokens)} out`,
    cost > 0 ? `cost ${cost.toFixed(4)}` : '',
    failures.length > 0 ? `failed: ${failures.map(([kind, count]) => `${count} ${kind}`).join(', ')}` : '',
  ]
    .filter(Boolean)
    .join('; ')
}

/** Adds what one answer has used. */
export function addUsage(
  usage: LlmUsage,
  answer: { inputTokens: number; outputTokens: number },
  prices: Pick<LlmConfig, 'inputPrice' | 'outputPrice'>,
): void {
  usage.answers++
  usage.inputTokens += answer.inputTokens
  usage.outputTokens += answer.outputTokens
  usage.cost += (answer.inputTokens * prices.inputPrice + answer.outputTokens * prices.outputPrice) / 1e6
}

/**
 * Stops before a request when the budget is spent. Requests already under way are let finish, so that a budget is exceeded by
 * `concurrency` answers at most.
 * @throws MonosemError config
 */
export function checkBudget(usage: LlmUsage, config: LlmConfig): void {
  const tokens = usage.inputTokens + usage.outputTokens
  if (config.maxTokensBudget > 0 && tokens >= config.maxTokensBudget)
    throw spent(`${config.maxTokensBudget} tokens`, `${tokens} are used`, '--max-tokens-budget')
  if (config.maxCost > 0 && usage.cost >= config.maxCost)
    throw spent(`a cost of ${config.maxCost}`, `${usage.cost.toFixed(4)} is spent`, '--max-cost')
}

const spent = (budget: string, used: string, flag: string): MonosemError =>
  new MonosemError('config', `language model: the budget of ${budget} is spent: ${used}`, {
    hint: `what is done is kept; raise ${flag} to go on`,
  })
