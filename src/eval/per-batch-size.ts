/** Buffers by batch size: a pass needs one set for its full batches and one for the last, smaller batch. */
export interface PerBatchSize<T> {
  /** The buffers for this many windows, made at first use. */
  get(windows: number): T
  /** Gives all of them back. */
  free(): void
}

export function perBatchSize<T>(make: (windows: number) => T, free: (buffers: T) => void): PerBatchSize<T> {
  const made = new Map<number, T>()
  return {
    get: (windows) => {
      const buffers = made.get(windows) ?? make(windows)
      made.set(windows, buffers)
      return buffers
    },
    free: () => {
      for (const buffers of made.values()) free(buffers)
      made.clear()
    },
  }
}
