/** Counts wrong tokens by the address that sent them, so that nobody can try many. */
export interface Attempts {
  /** seconds until an address may try again; 0: now */
  wait(address: string): number
  /** A wrong token came from there. */
  failed(address: string): void
}

const span = 60_000
const allowed = 10
/** Addresses kept in mind; beyond them the oldest are forgotten. */
const remembered = 10_000

/** @param now clock, ms */
export function countAttempts(now: () => number = Date.now): Attempts {
  const failures = new Map<string, { count: number; until: number }>()
  const current = (address: string) => {
    const entry = failures.get(address)
    return entry && entry.until > now() ? entry : undefined
  }
  return {
    wait(address) {
      const entry = current(address)
      return entry && entry.count >= allowed ? Math.ceil((entry.until - now()) / 1000) : 0
    },
    failed(address) {
      const entry = current(address) ?? { count: 0, until: now() + span }
      entry.count++
      failures.delete(address)
      failures.set(address, entry)
      if (failures.size > remembered) failures.delete(failures.keys().next().value ?? '')
    },
  }
}
