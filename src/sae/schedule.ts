/** Rises linearly from 1/n in the first step to 1 in the n-th; 1 at once when n < 1. `step` is 0-based. */
export function warmUp(step: number, n: number): number {
  return n < 1 ? 1 : Math.min(1, (step + 1) / n)
}

/** 1 until the last n of `total` steps, then falls linearly; the step after the last would get 0. `step` is 0-based. */
export function decayAtEnd(step: number, total: number, n: number): number {
  return n < 1 ? 1 : Math.min(1, (total - step) / n)
}

/** As `decayAtEnd`, but along half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts). */
export function cosineAtEnd(step: number, total: number, n: number): number {
  return 0.5 * (1 - Math.cos(Math.PI * decayAtEnd(step, total, n)))
}
