/** A promise that someone else resolves. */
export function gate<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((open) => {
    resolve = open
  })
  return { promise, resolve }
}
