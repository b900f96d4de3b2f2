import { statSync } from 'node:fs'
import { MonosemError } from '../../errors/monosem-error.js'
import { inTurn } from '../../explain/explanations-file.js'
import { byHand } from '../../explain/user-notes.js'
import type { NotesCopy } from './notes-copy.js'

/** Name of a feature, and how well it is explained. */
export interface FeatureName {
  name: string
  named: 'label' | 'explanation'
  /** Spearman score of its newest explanation, also where a label is its name; null without one */
  score: number | null
}

/** A copy of explanations that follows a file which other processes write to. */
export interface FollowedNotes {
  /**
   * Takes over what has changed. While another process holds the file, what was read before stands.
   * @throws MonosemError busy (nothing was read before), corrupt, io, config
   */
  follow(): Promise<void>
  /** whether the copy has everything that is in the file now */
  isCurrent(): boolean
  names(): ReadonlyMap<number, FeatureName>
  /** grows with each change */
  version(): number
}

/** Milliseconds to wait for another process before reading, and before trying that again. */
const patience = 1000

/** What to know of a file to notice that it was written to; the log of writes beside it counts too. Empty: it is not there. */
function stampOf(path: string): string {
  const found = [path, `${path}.wal`].map((name) => statSync(name, { bigint: true, throwIfNoEntry: false }))
  return found
    .map((stat) => (stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs}` : ''))
    .join(' | ')
    .replace(/^ \| $/, '')
}

interface Failure {
  error: unknown
  stamp: string
  at: number
}

/**
 * @param path the database of explanations; need not be there
 * @param manifest hash of the features that they must be about
 */
export function followNotes(path: string, manifest: string, copy: NotesCopy): FollowedNotes {
  let [seen, version] = ['', 0]
  const names = new Map<number, FeatureName>()
  let failure: Failure | null = null
  let loading: Promise<void> | null = null

  const load = async (): Promise<void> => {
    // Before reading: what is written meanwhile is noticed the next time.
    const stamp = stampOf(path)
    try {
      if (stamp === '') await copy.clear()
      const changed = stamp && (await inTurn(path, () => copy.update(path, manifest), patience))
      await readNames(copy, names, changed || null)
      version++
      seen = stamp
      failure = null
    } catch (error) {
      failure = { error, stamp, at: performance.now() }
    }
  }
  const follow = async (): Promise<void> => {
    // Twice, as a read that has begun before a write does not show it.
    for (let i = 0; i < 2 && stampOf(path) !== seen && (loading || mayTryAgain(failure, path)); i++) {
      loading ??= load().finally(() => {
        loading = null
      })
      await loading
    }
    if (failure && !(isBusy(failure) && version > 0)) throw failure.error
  }
  return {
    follow,
    isCurrent: () => stampOf(path) === seen,
    names: () => names,
    version: () => {
      if (stampOf(path) !== seen) follow().catch(() => {})
      return version
    },
  }
}

const isBusy = ({ error }: Failure): boolean => error instanceof MonosemError && error.code === 'busy'

/** What another process holds may be free by now; what is wrong with a file stays wrong until it is another. */
function mayTryAgain(failure: Failure | null, path: string): boolean {
  if (failure === null) return true
  return isBusy(failure) ? performance.now() - failure.at > patience : failure.stamp !== stampOf(path)
}

/** @param changed features whose names are read again; null: all */
async function readNames(
  copy: NotesCopy,
  names: Map<number, FeatureName>,
  changed: readonly number[] | null,
): Promise<void> {
  const gone = new Set(changed ?? names.keys())
  for await (const rows of copy.names(changed)) {
    for (const { feature, name, explainer, score } of rows) {
      names.set(feature, { name, named: explainer === byHand ? 'label' : 'explanation', score })
      gone.delete(feature)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const feature of gone) names.delete(feature)
}
