import { type ErrorCode, MonosemError } from '../errors/monosem-error.js'
import type { Communicator } from './communicator.js'
import { broadcastValue } from './values.js'

/** What came of the work of rank 0, as it crosses to the others. */
type Result<T> = { value: T } | { code: ErrorCode | null; message: string; hint?: string }

/**
 * Does something on rank 0 alone; all ranks wait, and return what it returned or throw what it threw.
 * @param work its result must be a value that can be cloned
 */
export async function onFirstRank<T>(ranks: Communicator, work: () => Promise<T>): Promise<T> {
  if (ranks.size === 1) return work()
  if (ranks.rank > 0) return unpack(await broadcastValue<Result<T>>(ranks, undefined))
  let value: T
  try {
    value = await work()
  } catch (error) {
    await broadcastValue(ranks, described(error))
    throw error
  }
  await broadcastValue<Result<T>>(ranks, { value })
  return value
}

function described(error: unknown): Result<never> {
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof MonosemError)) return { code: null, message }
  return { code: error.code, message, ...(error.hint !== undefined && { hint: error.hint }) }
}

function unpack<T>(result: Result<T>): T {
  if ('value' in result) return result.value
  const { code, message, hint } = result
  if (code === null) throw new Error(message)
  throw new MonosemError(code, message, { ...(hint !== undefined && { hint }) })
}
