import { setImmediate } from 'node:timers/promises'

/**
 * For loops that take long: call and await it in each turn, and other requests are answered in between.
 * @param milliseconds of work before others get their turn; default 8
 */
export function breather(milliseconds = 8): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < milliseconds) return
    await setImmediate()
    since = performance.now()
  }
}
