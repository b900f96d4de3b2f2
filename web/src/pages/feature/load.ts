import { createEffect, createSignal, on, onCleanup } from 'solid-js'

/** What a request has brought so far. */
export interface Loaded<T> {
  value: () => T | undefined
  error: () => unknown
  loading: () => boolean
  /** asks again */
  retry: () => void
  /** puts what the user's own change brought */
  set: (value: T) => void
}

/**
 * Loads what belongs to a key, again when the key changes; only the answer for the newest key counts. The value before stays until the next is
 * there, and is dropped when the request fails.
 *
 * Not a resource of Solid: reading one that is still under way takes the whole page away until it is there.
 * @param key undefined: nothing is to be loaded (yet)
 */
export function load<Key, T>(
  key: () => Key | undefined,
  fetcher: (key: Key, signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const [value, setValue] = createSignal<T | undefined>()
  const [error, setError] = createSignal<unknown>()
  const [loading, setLoading] = createSignal(false)
  const [tries, setTries] = createSignal(0)
  createEffect(
    on([key, tries], ([wanted]) => {
      if (wanted === undefined) return
      const abort = new AbortController()
      onCleanup(() => abort.abort())
      setLoading(true)
      fetcher(wanted, abort.signal)
        .then(
          (found) => {
            if (abort.signal.aborted) return
            setError(undefined)
            setValue(() => found)
          },
          (cause) => {
            if (abort.signal.aborted) return
            setValue(undefined)
            setError(() => cause)
          },
        )
        .finally(() => {
          if (!abort.signal.aborted) setLoading(false)
        })
    }),
  )
  return {
    value,
    error,
    loading,
    retry: () => setTries((count) => count + 1),
    set: (next) => setValue(() => next),
  }
}
