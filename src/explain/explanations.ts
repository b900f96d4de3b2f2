import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBBlobValue, DuckDBConnection } from '@duckdb/node-api'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256, storageError } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import type { Explanation, Score, ScoredExample } from './evidence.js'
import { hasTable, prepareExplanations, withExplanations, writeInTransaction } from './explanations-file.js'
import { packExamples, unpackExamples } from './scored-examples.js'
import { putUserNotes, readNote, type UserNotes } from './user-notes.js'

/** An explanation on its way into the store. */
export interface NewExplanation extends Explanation {
  /** hash of everything that decided what the explanation and its scores are; null for a user's own label */
  configuration: string | null
  /** hash of the examples that it was scored on; null when it was not */
  examples: string | null
  scores: readonly Score[]
  /** those examples, with what was predicted on them; kept apart, see `scoredExamples` */
  scored?: readonly ScoredExample[]
}

/** An explanation with its scores, as stored. */
export interface StoredExplanation extends Omit<NewExplanation, 'scored'> {
  /** ascending in the order of writing */
  id: number
  /** ISO 8601, UTC */
  created: string
}

export interface ExplanationQuery {
  feature?: number
  /** only these; default: all */
  features?: readonly number[]
  explainer?: string
  configuration?: string
  /** words that the text contains, in any case */
  text?: string
  /** default 100 */
  limit?: number
  /** default 0 */
  offset?: number
}

/** Explanations of the features of one `features` directory: several explainers, models and people may explain one feature. */
export interface ExplanationStore {
  directory: string
  /** Adds explanations with their scores: all of them or, when killed, none. @throws MonosemError busy, io */
  append(explanations: readonly NewExplanation[]): Promise<void>
  /** Newest first. @throws MonosemError config, busy */
  list(query?: ExplanationQuery): Promise<StoredExplanation[]>
  /** Features that an explainer has explained with one configuration. */
  done(explainer: string, configuration: string): Promise<Set<number>>
  /** Keeps something that is about no single feature, in place of what was kept under the key. */
  keepNote(key: string, value: Json): Promise<void>
  /** What was kept under a key; null when nothing was. */
  note(key: string): Promise<Json>
  /** The examples that an explanation was scored on; null where they were not kept. @throws MonosemError busy, corrupt */
  scoredExamples(explanation: number): Promise<ScoredExample[] | null>
  /** Replaces the user's label and note of a feature: both or, when killed, neither. @throws MonosemError busy, io */
  putUserNotes(feature: number, notes: UserNotes): Promise<void>
  /** What the user noted about a feature. */
  userNote(feature: number): Promise<string | null>
}

/**
 * Opens, or makes, the explanations of a finished `features` directory. The database file is held only while something is read or written.
 * @param directory `<run>/explanations`
 * @throws MonosemError missing (no features), config (the store belongs to other features), busy, corrupt, io
 */
export async function openExplanations(directory: string, features: string): Promise<ExplanationStore> {
  const path = await prepareExplanations(directory, await featuresManifest(features))
  return {
    directory,
    append: (explanations) =>
      withExplanations(path, 'write', (connection) => appendAll(connection, explanations)),
    list: (query = {}) => withExplanations(path, 'read', (connection) => list(connection, query)),
    done: (explainer, configuration) =>
      withExplanations(path, 'read', async (connection) => {
        const reader = await connection.runAndReadAll(
          'SELECT DISTINCT feature FROM explanations WHERE explainer = $1 AND configuration = $2',
          [explainer, configuration],
        )
        return new Set(reader.getColumnsJS()[0] as number[])
      }),
    keepNote: (key, value) =>
      withExplanations(path, 'write', async (connection) => {
        await connection.run('INSERT OR REPLACE INTO notes VALUES ($1, $2)', [key, JSON.stringify(value)])
      }),
    note: (key) =>
      withExplanations(path, 'read', async (connection) => {
        const reader = await connection.runAndReadAll('SELECT json FROM notes WHERE key = $1', [key])
        const [row] = reader.getRowObjectsJS()
        return row ? (JSON.parse(row.json as string) as Json) : null
      }),
    scoredExamples: (explanation) =>
      withExplanations(path, 'read', (connection) => readScored(connection, explanation)),
    putUserNotes: (feature, notes) =>
      withExplanations(path, 'write', (connection) =>
        writeInTransaction(connection, () => putUserNotes(connection, feature, notes)),
      ),
    userNote: (feature) => withExplanations(path, 'read', (connection) => readNote(connection, feature)),
  }
}

async function featuresManifest(directory: string): Promise<string> {
  const path = join(directory, 'manifest.json')
  try {
    return sha256(await readFile(path, 'utf8'))
  } catch (cause) {
    throw storageError('read', path, cause)
  }
}

async function appendAll(
  connection: DuckDBConnection,
  explanations: readonly NewExplanation[],
): Promise<void> {
  const created = new Date().toISOString()
  await writeInTransaction(connection, async () => {
    const reader = await connection.runAndReadAll('SELECT coalesce(max(id), 0) FROM explanations')
    let id = Number(reader.getColumnsJS()[0][0])
    const rows = await connection.createAppender('explanations')
    const scores = await connection.createAppender('scores')
    const kept = await connection.createAppender('scored_examples')
    for (const { feature, text, explainer, configuration, examples, scores: own, scored } of explanations) {
      id++
      rows.appendInteger(id)
      rows.appendInteger(feature)
      for (const value of [text, explainer, configuration, created, examples]) appendText(rows, value)
      rows.endRow()
      for (const score of own) {
        scores.appendInteger(id)
        appendText(scores, score.scorer)
        if (score.value === null) scores.appendNull()
        else scores.appendDouble(score.value)
        appendText(scores, score.reason)
        scores.appendInteger(score.n)
        appendText(scores, JSON.stringify(score.details))
        scores.endRow()
      }
      if (scored) {
        kept.appendInteger(id)
        kept.appendBlob(packExamples(scored))
        kept.endRow()
      }
    }
    rows.closeSync()
    scores.closeSync()
    kept.closeSync()
  })
}

async function readScored(
  connection: DuckDBConnection,
  explanation: number,
): Promise<ScoredExample[] | null> {
  if (!(await hasTable(connection, 'scored_examples'))) return null
  const reader = await connection.runAndReadAll('SELECT packed FROM scored_examples WHERE explanation = $1', [
    explanation,
  ])
  const [row] = reader.getRowObjects()
  return row ? unpackExamples((row.packed as DuckDBBlobValue).bytes) : null
}

function appendText(
  appender: { appendNull(): void; appendVarchar(text: string): void },
  value: string | null,
): void {
  if (value === null) appender.appendNull()
  else appender.appendVarchar(value)
}

async function list(connection: DuckDBConnection, query: ExplanationQuery): Promise<StoredExplanation[]> {
  const { feature, features, explainer, configuration, text, limit = 100, offset = 0 } = query
  if (features?.length === 0) return []
  for (const [name, value] of Object.entries({ limit, offset }))
    if (!Number.isInteger(value) || value < 0)
      throw new MonosemError('config', `${name}: expected a whole number of at least 0, got ${value}`)
  const asked = `SELECT * FROM explanations
     WHERE ($1::INTEGER IS NULL OR feature = $1) AND ($2::VARCHAR IS NULL OR explainer = $2)
       AND ($6::VARCHAR IS NULL OR configuration = $6)
       AND ($3::VARCHAR IS NULL OR contains(lower(text), lower($3)))
       ${features ? `AND feature IN (${features})` : ''}
     ORDER BY id DESC LIMIT $4 OFFSET $5`
  const values = [feature ?? null, explainer ?? null, text ?? null, limit, offset, configuration ?? null]
  const reader = await connection.runAndReadAll(asked, values)
  const rows = reader.getRowObjectsJS()
  if (rows.length === 0) return []
  const ids = rows.map((row) => Number(row.id))
  const found = await connection.runAndReadAll(
    `SELECT * FROM scores WHERE explanation IN (SELECT id FROM (${asked})) ORDER BY rowid`,
    values,
  )
  const scores = new Map<number, Score[]>(ids.map((id) => [id, []]))
  for (const row of found.getRowObjectsJS())
    scores.get(row.explanation as number)?.push({
      scorer: row.scorer as string,
      value: row.value as number | null,
      reason: row.reason as string | null,
      n: row.n as number,
      details: JSON.parse(row.details as string),
    })
  return rows.map((row) => ({
    id: row.id as number,
    feature: row.feature as number,
    text: row.text as string,
    explainer: row.explainer as string,
    configuration: row.configuration as string | null,
    created: row.created as string,
    examples: row.examples as string | null,
    scores: scores.get(row.id as number) ?? [],
  }))
}
