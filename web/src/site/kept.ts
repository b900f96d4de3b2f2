/**
 * Remembers what a function of a text promised, the most recent ones. What failed is forgotten, so that it is tried again.
 * @param most how many
 */
export function kept<T>(most: number, make: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (key) => {
    const found = known.get(key)
    known.delete(key)
    const promise = found ?? make(key)
    known.set(key, promise)
    if (!found)
      promise.catch(() => {
        if (known.get(key) === promise) known.delete(key)
      })
    if (known.size > most) known.delete([...known.keys()][0])
    return promise
  }
}
