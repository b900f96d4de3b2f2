/** Makes something at the first call and hands the same out to all. When making it failed, the next call tries again. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null
  return () => {
    if (made) return made
    const attempt = make()
    made = attempt
    attempt.catch(() => {
      if (made === attempt) made = null
    })
    return attempt
  }
}
