/** Runs a task as soon as fewer than the limit are under way; the others wait in the order in which they came. */
export type Limiter = <T>(task: () => Promise<T>) => Promise<T>

/** @param limit tasks under way at a time, at least 1 */
export function createLimiter(limit: number): Limiter {
  const waiting: Array<() => void> = []
  let running = 0
  return async (task) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      // The place is handed on, not given up, so that nobody slips in between.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
