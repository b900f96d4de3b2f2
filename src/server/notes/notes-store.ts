import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import type { ScoredExample } from '../../explain/evidence.js'
import { type ExplanationStore, openExplanations } from '../../explain/explanations.js'
import { explanationsFile } from '../../explain/explanations-file.js'
import { newestOfEach } from '../../explain/feature-explanations.js'
import { byHand } from '../../explain/user-notes.js'
import { requireFeature } from '../../sae/require-feature.js'
import { sha256 } from '../../storage/atomic-file.js'
import type { FeatureNotes, NotesUpdate } from '../protocol.js'
import { cleanLine, cleanLines } from './clean-text.js'
import { type FeatureName, followNotes } from './followed-notes.js'
import { type NotesCopy, openNotesCopy } from './notes-copy.js'

export type { FeatureName } from './followed-notes.js'

/** Labels, notes and explanations of a run's features. Other processes may write to them at the same time. */
export interface NotesStore {
  /** @throws MonosemError missing (no such feature), busy (another process holds the file since before it was read), corrupt, config, io */
  get(feature: number): Promise<FeatureNotes>
  /**
   * Replaces the label and the note of a feature: both or, when killed, neither. Texts are trimmed and freed from control characters.
   * @throws MonosemError missing, busy (another process holds the file for over 5 seconds), corrupt, config, io
   */
  put(feature: number, update: NotesUpdate): Promise<FeatureNotes>
  /**
   * The examples that an explanation of a feature was scored on.
   * @throws MonosemError missing (no such explanation of it, or none were kept), busy, corrupt, config, io
   */
  examples(feature: number, explanation: number): Promise<ScoredExample[]>
  /** name of each named feature, and the Spearman score of its explanation */
  names(): ReadonlyMap<number, FeatureName>
  /**
   * Grows whenever a name or a score may have changed: what was made from `names()` is to be made again. When the file has changed, asking for it
   * begins to read it again, and the number grows once that is done.
   */
  version(): number
  /** Takes over what other processes have written, if anything. @throws MonosemError like `get` */
  refresh(): Promise<void>
  /** Answers of the copy that `get` reads from, see notes-copy.ts. @throws MonosemError like `get` */
  query: NotesCopy['query']
  close(): void
}

/**
 * Opens the explanations of a run. Nothing is made or written until the first `put`; a file that cannot be read is no error here but of each `get`.
 * @param directory `<run>/explanations`; need not be there
 * @param features the `features` directory that they must be about
 * @param count F, number of features
 * @throws MonosemError missing (no features)
 */
export async function openNotes(directory: string, features: string, count: number): Promise<NotesStore> {
  const copy = await openNotesCopy()
  const manifest = sha256(await readFile(join(features, 'manifest.json'), 'utf8'))
  const notes = followNotes(explanationsFile(directory), manifest, copy)
  await notes.follow().catch(() => {})
  const get = async (feature: number): Promise<FeatureNotes> => {
    requireFeature(feature, count)
    await notes.follow()
    return featureNotes(feature, await copy.get(feature))
  }
  const open = sharedOpening(() => openExplanations(directory, features))
  return {
    get,
    async put(feature, update) {
      requireFeature(feature, count)
      const own = { label: cleanLine(update.label), note: cleanLines(update.note) }
      const isNothing = own.label === null && own.note === null && !existsSync(explanationsFile(directory))
      if (isNothing) return get(feature)
      await (await open()).putUserNotes(feature, own)
      const stored = await get(feature)
      return notes.isCurrent() ? stored : { ...stored, ...own }
    },
    async examples(feature, explanation) {
      requireKept(await get(feature), explanation)
      const examples = await (await open()).scoredExamples(explanation)
      if (!examples) throw notKept(feature, explanation)
      return examples
    },
    names: notes.names,
    version: notes.version,
    refresh: notes.follow,
    query: async (sql) => {
      await notes.follow()
      return copy.query(sql)
    },
    close: copy.close,
  }
}

/** Shared by those who come while it is opened, so that they write in the order in which they came. */
function sharedOpening(open: () => Promise<ExplanationStore>): () => Promise<ExplanationStore> {
  let opening: Promise<ExplanationStore> | null = null
  return () => {
    opening ??= open().finally(() => {
      opening = null
    })
    return opening
  }
}

function featureNotes(
  feature: number,
  { note, explanations }: Awaited<ReturnType<NotesCopy['get']>>,
): FeatureNotes {
  const label = explanations.find(({ explainer }) => explainer === byHand)
  return {
    feature,
    label: label?.text ?? null,
    note,
    explanations: newestOfEach(explanations)
      .filter(({ id }) => id !== label?.id)
      .map(({ scores, ...rest }) => ({
        ...rest,
        scores: scores.map((score) => ({ ...score, details: { ...score.details } })),
      })),
  }
}

function requireKept({ feature, explanations }: FeatureNotes, id: number): void {
  const found = explanations.find((explanation) => explanation.id === id)
  if (!found)
    throw new MonosemError('missing', `feature ${feature} has no explanation ${id}`, {
      hint: 'a newer one may have replaced it: read the notes of the feature again',
    })
  if (!found.hasExamples) throw notKept(feature, id)
}

const notKept = (feature: number, explanation: number): MonosemError =>
  new MonosemError(
    'missing',
    `the examples that explanation ${explanation} of feature ${feature} was scored on were not kept`,
    {
      hint: 'an earlier version made it, or a person: explain the feature again with --seed or other options',
    },
  )
