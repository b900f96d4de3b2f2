/** A memory of the values asked for last. */
export interface Lru<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
  clear(): void
}

/**
 * @param capacity how much is kept, in the unit of `sizeOf`: the value that was not asked for longest goes first
 * @param sizeOf default: 1 each
 */
export function createLru<K, V>(capacity: number, sizeOf: (value: V) => number = () => 1): Lru<K, V> {
  // A Map remembers the order in which its keys came.
  const values = new Map<K, V>()
  let size = 0
  const remove = (key: K): void => {
    const value = values.get(key)
    if (value !== undefined && values.delete(key)) size -= sizeOf(value)
  }
  return {
    get: (key) => {
      const value = values.get(key)
      if (value === undefined) return undefined
      values.delete(key)
      values.set(key, value)
      return value
    },
    set: (key, value) => {
      remove(key)
      values.set(key, value)
      size += sizeOf(value)
      for (const oldest of values.keys()) {
        if (size <= capacity) break
        remove(oldest)
      }
    },
    delete: remove,
    clear: () => {
      values.clear()
      size = 0
    },
  }
}
