/** Turns texts into vectors whose cosine says how alike they are. */
export interface Embedder {
  name: string
  /**
   * @returns one vector for each text, all of one length
   * @throws MonosemError remote, config (budget spent), missing, interrupted
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<ArrayLike<number>[]>
}
