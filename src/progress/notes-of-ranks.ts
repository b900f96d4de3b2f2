import type { Communicator } from '../distributed/communicator.js'
import { gatherValues } from '../distributed/values.js'
import type { Progress } from './progress.js'

/** Progress that remembers what it was told to note. */
export interface NotedProgress extends Progress {
  readonly notes: readonly string[]
}

/** Keeps the notes of one rank besides showing them, for `showNotesOfOthers`. */
export function keepNotes(progress: Progress): NotedProgress {
  const notes: string[] = []
  return {
    notes,
    start: progress.start,
    note(text) {
      notes.push(text)
      progress.note(text)
    },
  }
}

const mostShown = 20

/**
 * Shows on rank 0 what other ranks noted and rank 0 did not: most notes are the same everywhere, and a warning that only one rank has must not be lost.
 * All ranks call it.
 * @param notes of this rank
 */
export async function showNotesOfOthers(
  ranks: Communicator,
  notes: readonly string[],
  show: (text: string) => void,
): Promise<void> {
  const all = await gatherValues(ranks, notes)
  if (all === null) return
  const ranksOf = new Map<string, number[]>()
  for (const [rank, ofRank] of all.entries())
    for (const text of new Set(ofRank))
      if (!all[0].includes(text)) ranksOf.set(text, [...(ranksOf.get(text) ?? []), rank])
  const lines = [...ranksOf].map(
    ([text, from]) => `rank${from.length > 1 ? 's' : ''} ${from.join(', ')}: ${text}`,
  )
  for (const line of lines.slice(0, mostShown)) show(line)
  if (lines.length > mostShown) show(`and ${lines.length - mostShown} more notes of other ranks`)
}
