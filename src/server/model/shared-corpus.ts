import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TokenCorpus, TokenSplit } from '../../corpus/corpus.js'
import { MonosemError } from '../../errors/monosem-error.js'
import { requireMadeFrom } from '../../storage/made-from.js'
import { openStage } from '../../storage/open-stage.js'

/** The tokens of a corpus in memory that threads share. */
export type SharedCorpus = Record<TokenSplit['name'], TokenSplit>

/** A run's corpus: opened by the first thread that needs it, kept for all others. */
export interface SharedCorpusSource {
  directory: string
  /** null before it was opened */
  opened: SharedCorpus | null
  /** @throws MonosemError missing, config (the features were made from another corpus) */
  check(): Promise<void>
}

/** @param run the run's directory */
export function createSharedCorpus(run: string): SharedCorpusSource {
  const directory = join(run, 'corpus')
  return {
    directory,
    opened: null,
    check: async () => {
      if (!existsSync(directory))
        throw new MonosemError('missing', 'the run has no corpus: there is no text to measure on', {
          hint: `${run} needs its folder corpus for that`,
        })
      await requireMadeFrom(await openStage(join(run, 'features'), 'features'), 'corpus', directory)
    },
  }
}

/** The same splits in memory that another thread can read without a copy. */
export function shareCorpus({ train, validation }: Pick<TokenCorpus, 'train' | 'validation'>): SharedCorpus {
  return { train: shareSplit(train), validation: shareSplit(validation) }
}

function shareSplit(split: TokenSplit): TokenSplit {
  const { tokens, documentStarts, documentIds } = split
  const room = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes)
  const sharedTokens =
    tokens instanceof Uint16Array
      ? new Uint16Array(room(tokens.byteLength))
      : new Uint32Array(room(tokens.byteLength))
  sharedTokens.set(tokens)
  const integers = (from: Int32Array): Int32Array => {
    const shared = new Int32Array(room(from.byteLength))
    shared.set(from)
    return shared
  }
  return {
    ...split,
    tokens: sharedTokens,
    documentStarts: integers(documentStarts),
    documentIds: integers(documentIds),
  }
}
