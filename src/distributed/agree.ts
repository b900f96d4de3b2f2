import type { Communicator } from './communicator.js'

/** Whether the user wants any rank to stop; the same answer on all ranks, which all ask at the same point of their work. */
export async function shouldStop(ranks: Communicator, signal: AbortSignal | undefined): Promise<boolean> {
  const asked = signal?.aborted === true
  return ranks.size === 1 ? asked : (await ranks.max([asked ? 1 : 0]))[0] > 0
}
